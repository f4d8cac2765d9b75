// Keeps a page fresh: asks for it again and puts what is new in the place of what was. A page in
// whose forms something was entered, or is about to be, is left alone.
"use strict";

const SECONDS = 5;
const main = document.getElementById("main");
const freshness = document.getElementById("freshness");

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

async function refresh() {
  if (document.hidden || busy()) {
    return;
  }
  try {
    const answer = await fetch(location.href, { redirect: "manual" });
    if (answer.type === "opaqueredirect") {
      location.reload(); // the session is over: the login asks for the token
      return;
    }
    if (!answer.ok) {
      throw new Error(String(answer.status));
    }
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    if (!busy()) {
      replace("alarms", fresh);
      replace("main", fresh);
      document.querySelector("footer").firstChild.data = fresh.querySelector("footer").firstChild.data;
    }
    freshness.textContent = "";
  } catch {
    freshness.textContent = "No answer since: what is shown may be old.";
  }
}

if (main.hasAttribute("data-refresh")) {
  setInterval(refresh, SECONDS * 1000);
}
