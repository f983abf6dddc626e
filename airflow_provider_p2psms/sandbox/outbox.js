// Nobody who is typing or reading further down wants the page to jump.
setInterval(() => { if (document.activeElement.name !== "q" && !document.hidden && scrollY < 50) location.reload(); }, 3000);
