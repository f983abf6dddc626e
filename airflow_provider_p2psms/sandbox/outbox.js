// Keeps the page live. The server makes all HTML; here it is asked for again, and what differs is taken over node by
// node, so that a selection, the focus and the place in the list stay. Without this file the page works as links.
"use strict";
const $ = (id) => document.getElementById(id);
let paused = false;
let asked = 0;

// --- taking over what differs

function morph(old, fresh) {
  if (old.isEqualNode(fresh)) return old;
  if (old.nodeType !== fresh.nodeType || old.nodeName !== fresh.nodeName || old.id !== fresh.id) {
    old.replaceWith(fresh);
    return fresh;
  }
  if (old.nodeType === Node.TEXT_NODE) {
    old.data = fresh.data;
    return old;
  }
  for (const { name } of [...old.attributes]) if (!fresh.hasAttribute(name)) old.removeAttribute(name);
  for (const { name, value } of fresh.attributes) if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  const known = new Map([...old.children].filter((each) => each.id).map((each) => [each.id, each]));
  let place = old.firstChild;
  for (const child of [...fresh.childNodes]) {
    const same = child.id ? known.get(child.id) : place && !place.id ? place : null;
    if (!same) {
      old.insertBefore(child, place);
      continue;
    }
    if (same !== place) old.insertBefore(same, place);
    place = morph(same, child).nextSibling;
  }
  while (place) {
    const next = place.nextSibling;
    place.remove();
    place = next;
  }
  return old;
}

function takeOver(page, all) {
  document.title = page.title;
  for (const fresh of page.querySelectorAll("[data-live]")) {
    const old = $(fresh.id);
    if (old) morph(old, fresh);
  }
  $("split")?.classList.toggle("is-open", !$("detail").hidden);
  const [old, fresh] = [document.querySelector("form.filters"), page.querySelector("form.filters")];
  if (all && old && fresh) old.replaceWith(fresh);
}

async function ask(url, all) {
  const turn = ++asked;
  const response = await fetch(url, { headers: { Accept: "text/html" } });
  const page = new DOMParser().parseFromString(await response.text(), "text/html");
  if (turn !== asked || !page.getElementById("main")) return false;
  takeOver(page, all);
  return true;
}

// --- live

function here(parameters) {
  const url = new URL(location.href);
  for (const [name, value] of Object.entries(parameters)) url.searchParams.set(name, value);
  return url;
}

function isReading() {
  const list = $("list");
  const selection = getSelection();
  return (
    scrollY > 40 ||
    list.dataset.page !== "1" ||
    !$("detail").hidden ||
    list.contains(document.activeElement) ||
    (!selection.isCollapsed && list.contains(selection.anchorNode))
  );
}

async function refresh() {
  const list = $("list");
  if (!list) {
    await ask(location.href);
    return;
  }
  const { seen, until } = list.dataset;
  const isEmpty = !list.querySelector("table.messages");
  await ask(here(!isEmpty && isReading() ? { seen, until } : { seen }));
}

async function showNew() {
  const url = here({});
  url.searchParams.delete("page");
  if (await ask(url)) scrollTo({ top: 0 });
}

let source = null;
let waiting = false;
function listen() {
  source?.close();
  source = null;
  if (document.hidden || paused) return;
  source = new EventSource("/sandbox/events");
  source.onopen = () => ($("live").textContent = "live");
  source.onerror = () => ($("live").textContent = "not live: the sandbox does not answer");
  source.onmessage = async () => {
    if (waiting) return;
    waiting = true;
    try {
      await refresh();
    } catch {
      $("live").textContent = "not live: the sandbox does not answer";
    } finally {
      waiting = false;
    }
  };
}

function pause() {
  paused = !paused;
  $("pause").textContent = paused ? "Go on" : "Pause";
  $("pause").setAttribute("aria-pressed", paused);
  $("live").textContent = paused ? "paused" : "live";
  listen();
}

// --- opening a message beside the list

async function go(url, push) {
  const list = $("list");
  const wanted = new URL(url);
  const before = new URL(location.href);
  before.searchParams.delete("open");
  const bare = new URL(wanted);
  bare.searchParams.delete("open");
  // The same list: it stays as it is, with the rows that it has.
  if (bare.search === before.search) {
    wanted.searchParams.set("until", list.dataset.until);
    wanted.searchParams.set("seen", list.dataset.seen);
  }
  if (push) history.pushState(null, "", url);
  await ask(wanted, true);
}

async function openMessage(link) {
  await go(link.href, true);
  $("detail").scrollTop = 0;
  $("detail").querySelector("h2")?.focus({ preventScroll: innerWidth > 900 });
}

async function closeMessage() {
  const close = document.querySelector("#detail a.close");
  if (!close) return;
  const row = document.querySelector("tr[aria-current] a.open");
  await go(close.href, true);
  row?.focus({ preventScroll: true });
}

// --- orders

async function order(what, body) {
  const [method, path] = what.split(" ");
  const headers = body === undefined ? {} : { "Content-Type": "application/json" };
  const response = await fetch(path, { method, headers, body });
  const answer = await response.json().catch(() => ({}));
  $("said").textContent = response.ok ? "" : answer.error || `HTTP ${response.status}`;
  if (response.ok) await ask(location.href, true);
  return response.ok;
}

function isLikeAll(input) {
  const { all } = input.dataset;
  if (all === undefined) return false;
  return input.type === "number" ? input.value === "" || Number(input.value) === Number(all) : input.value === all;
}

function formAsJson(form) {
  const fields = {};
  for (const input of form.elements) {
    if (!input.name) continue;
    if (isLikeAll(input)) fields[input.name] = null; // the line has none of its own
    else if (input.dataset.json !== undefined) fields[input.name] = JSON.parse(input.value);
    else if (input.type !== "number") fields[input.name] = input.value;
    else if (input.value !== "") fields[input.name] = Number(input.value);
  }
  return JSON.stringify(fields);
}

// --- keys and clicks

function move(step) {
  const links = [...document.querySelectorAll("a.open")];
  if (!links.length) return;
  const row = document.activeElement?.closest("tr") || document.querySelector("tr[aria-current]");
  const place = links.findIndex((link) => link.closest("tr") === row);
  const next = place < 0 ? (step > 0 ? 0 : links.length - 1) : place + step;
  const link = links[Math.min(Math.max(next, 0), links.length - 1)];
  link.focus();
  link.closest("tr").scrollIntoView({ block: "nearest" });
  if (!$("detail").hidden && innerWidth > 900) go(link.href, true);
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "Escape") {
    if (event.target.matches("input, select")) event.target.blur();
    else closeMessage();
    return;
  }
  if (event.target.matches("input, select, textarea")) return;
  const search = document.querySelector("input[name=q]");
  if (event.key === "/" && search) {
    event.preventDefault();
    search.focus();
    search.select();
  } else if (event.key === "j") move(1);
  else if (event.key === "k") move(-1);
  else if (event.key === "p") pause();
});

document.addEventListener("click", (event) => {
  if (event.defaultPrevented || event.button || event.ctrlKey || event.metaKey || event.shiftKey) return;
  const link = event.target.closest("a");
  const button = event.target.closest("button");
  if (link?.id === "newer") {
    event.preventDefault();
    showNew();
  } else if (link?.matches("a.close")) {
    event.preventDefault();
    closeMessage();
  } else if (link?.matches("a.open")) {
    event.preventDefault();
    openMessage(link);
  } else if (button?.dataset.order) {
    const { sure, order: what } = button.dataset;
    if (!sure || confirm(sure)) order(what, what.startsWith("DELETE") ? undefined : "{}");
  } else if (button?.dataset.copy) {
    copy(button);
  } else if (!link && !button && event.target.closest("table.messages tbody tr") && getSelection().isCollapsed) {
    openMessage(event.target.closest("tr").querySelector("a.open"));
  }
});

async function copy(button) {
  const text = $(button.dataset.copy).textContent;
  try {
    await navigator.clipboard.writeText(text);
    button.textContent = "Copied";
  } catch {
    getSelection().selectAllChildren($(button.dataset.copy)); // without the right to copy, it is selected
  }
}

document.addEventListener("submit", async (event) => {
  const form = event.target;
  if (!form.dataset.order) return;
  event.preventDefault();
  await order(form.dataset.order, formAsJson(form));
});

addEventListener("popstate", () => ($("list") ? go(location.href, false) : location.reload()));
document.addEventListener("visibilitychange", listen);
$("pause").hidden = false;
$("pause").addEventListener("click", pause);
listen();
