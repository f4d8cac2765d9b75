// Keeps a page fresh: asks for it again and puts what is new in the place of what was. A page in
// whose forms something was entered, or is about to be, is left alone and says so; the networks
// that need a person are told on every page, whatever one does there.
"use strict";

const SECONDS = 5;
const HELD = "Not refreshed while you enter something; a network that halts shows all the same.";
const OVER = "Not refreshed: the session is over, log in again.";
const SILENT = "No answer since: what is shown may be old.";
const main = document.getElementById("main");
const freshness = document.getElementById("freshness");
const renewed = main.hasAttribute("data-refresh"); // else asking again would do the work again
const source = renewed ? location.href : document.querySelector(".brand a").href;

function busy() {
  if (main.contains(document.activeElement) && document.activeElement.matches("input, select, button")) {
    return true;
  }
  return [...main.querySelectorAll("input, select")].some((field) =>
    field.type === "checkbox"
      ? field.checked !== field.defaultChecked
      : field.tagName === "INPUT" && field.value !== field.defaultValue,
  );
}

function replace(id, fresh) {
  const old = document.getElementById(id);
  const next = fresh.getElementById(id);
  for (const details of old.querySelectorAll("details[open][id]")) {
    next.querySelector(`#${CSS.escape(details.id)}`)?.setAttribute("open", "");
  }
  if (old.innerHTML !== next.innerHTML) {
    old.replaceChildren(...next.childNodes);
  }
}

function show(fresh) {
  replace("alarms", fresh);
  if (!renewed) {
    return "";
  }
  if (busy()) {
    return HELD;
  }
  replace("main", fresh);
  document.querySelector("footer").firstChild.data = fresh.querySelector("footer").firstChild.data;
  return "";
}

async function read() {
  const answer = await fetch(source, { redirect: "manual" });
  if (answer.type === "opaqueredirect") { // the session is over: the login asks for the token
    if (renewed && !busy()) {
      location.reload();
    }
    return OVER;
  }
  if (!answer.ok) {
    throw new Error(String(answer.status));
  }
  return show(new DOMParser().parseFromString(await answer.text(), "text/html"));
}

async function refresh() {
  if (!document.hidden) {
    freshness.textContent = await read().catch(() => SILENT);
  }
}

setInterval(refresh, SECONDS * 1000);
