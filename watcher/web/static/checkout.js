// What makes the checkout live. Without it the page works by forms and by loading itself again.
"use strict";

const LEAVE_SECONDS = 5;
const RETRY_SECONDS = 15;
const card = document.getElementById("checkout");
const announce = document.getElementById("announce");
const offline = document.getElementById("offline");
const OVER = ["paid", "underpaid", "expired", "cancelled"];

let skew = Date.now() / 1000 - Number(document.body.dataset.now); // of this clock against the server's
let leaving = null;

function say(text) {
  if (announce.textContent !== text) announce.textContent = text;
}

function enliven(part) {
  for (const each of part.querySelectorAll("[data-js]")) each.hidden = false;
}

function replace(id, version, html) {
  const part = document.getElementById(id);
  if (part.dataset.version === version) return;
  const focused = part.contains(document.activeElement) ? document.activeElement.id : "";
  part.innerHTML = html; // made by our own templates, which escape what others wrote
  part.dataset.version = version;
  enliven(part);
  if (focused) document.getElementById(focused)?.focus();
}

function show(event) {
  const news = JSON.parse(event.data);
  const before = card.dataset.phase;
  skew = Date.now() / 1000 - news.now;
  offline.hidden = true;
  for (const [id, [version, html]] of Object.entries(news.parts)) replace(id, version, html);
  card.dataset.phase = news.phase;
  document.title = news.title;
  if (news.phase !== before) {
    say(news.heading);
    stay(); // another end leads elsewhere, and says so anew
    if (OVER.includes(news.phase)) leave();
  }
  tick();
}

function listen(url) {
  const source = new EventSource(url);
  source.addEventListener("parts", show);
  source.addEventListener("error", () => {
    offline.hidden = false;
    if (source.readyState === EventSource.CLOSED) setTimeout(() => listen(url), RETRY_SECONDS * 1000);
  });
  source.addEventListener("open", () => { offline.hidden = true; });
}

function tick() {
  const clock = document.getElementById("countdown");
  if (!clock) return;
  const left = Math.max(0, Math.floor(Number(clock.dataset.until) - (Date.now() / 1000 - skew)));
  const [hours, minutes, seconds] = [Math.floor(left / 3600), Math.floor(left / 60) % 60, left % 60];
  const pad = (number) => String(number).padStart(2, "0");
  clock.textContent = (hours ? hours + ":" + pad(minutes) : minutes) + ":" + pad(seconds);
  clock.classList.toggle("over", left < 60);
}

function leave() {
  const way = document.querySelector("#leave[data-automatic]");
  if (!way || leaving) return;
  const sentence = way.querySelector("[data-sentence]");
  let seconds = LEAVE_SECONDS;
  const step = () => {
    if (seconds === 0) {
      stay();
      location.assign(document.getElementById("return").href);
      return;
    }
    sentence.textContent = sentence.dataset.sentence.replace("{seconds}", seconds);
    seconds -= 1;
  };
  document.getElementById("leaving").hidden = false;
  step();
  leaving = setInterval(step, 1000);
}

function stay() {
  clearInterval(leaving);
  leaving = null;
  const way = document.getElementById("leaving");
  if (way) way.hidden = true;
}

async function copy(button) {
  const text = button.dataset.copy;
  try {
    await navigator.clipboard.writeText(text);
  } catch { // no clipboard on plain http, or not allowed
    const field = document.createElement("textarea");
    field.value = text;
    field.className = "unseen";
    document.body.append(field);
    field.select();
    const done = document.execCommand("copy");
    field.remove();
    button.focus();
    if (!done) return;
  }
  const label = button.textContent;
  if (label === button.dataset.done) return;
  button.textContent = button.dataset.done;
  say(button.dataset.done);
  setTimeout(() => { button.textContent = label; say(""); }, 2000);
}

function filter(field) {
  const wanted = field.value.trim().toLowerCase();
  let found = 0;
  for (const each of document.getElementById(field.dataset.filter).children) {
    each.hidden = !each.dataset.text.toLowerCase().includes(wanted);
    found += each.hidden ? 0 : 1;
  }
  document.getElementById("none").hidden = found > 0;
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (button?.dataset.copy) copy(button);
  if (button?.id === "stay") stay();
});
document.addEventListener("input", (event) => {
  if (event.target.dataset.filter) filter(event.target);
});
addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); });

enliven(document);
tick();
setInterval(tick, 1000);
if (document.body.dataset.events) listen(document.body.dataset.events);
