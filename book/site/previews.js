// Previews: a card beside a link to an equation, a term or a citation. The page carries what they show as <template>s.
document.addEventListener("DOMContentLoaded", () => {
  const previews = new Map([...document.querySelectorAll("template[data-href]")].map((t) => [t.dataset.href, t]));
  const links = [...document.querySelectorAll("article a.reference.internal")].filter((a) => previews.has(a.getAttribute("href")));
  if (!links.length) return;
  const card = document.createElement("div");
  card.id = "preview";
  card.setAttribute("role", "tooltip");
  card.hidden = true;
  document.body.append(card);
  let shown = null, waiting = 0;

  function hide() {
    clearTimeout(waiting);
    if (!shown) return;
    shown.removeAttribute("aria-describedby");
    shown = null;
    window.MathJax?.typesetClear?.([card]);
    card.hidden = true;
    card.replaceChildren();
  }

  function place(link) {
    const line = link.getClientRects()[0], width = document.documentElement.clientWidth;
    const left = Math.max(8, Math.min(line.left, width - card.offsetWidth - 8));
    const above = line.bottom + card.offsetHeight > window.innerHeight && line.top > card.offsetHeight;
    card.style.left = `${left + window.scrollX}px`;
    card.style.top = `${(above ? line.top - card.offsetHeight : line.bottom) + window.scrollY}px`;
  }

  async function show(link) {
    clearTimeout(waiting);
    if (shown === link) return;
    hide();
    shown = link;
    card.append(previews.get(link.getAttribute("href")).content.cloneNode(true));
    link.setAttribute("aria-describedby", card.id);
    card.hidden = false;
    place(link);
    if (!card.querySelector(".math")) return;
    await window.MathJax?.typesetPromise?.([card]);
    if (shown === link) place(link);
  }

  function later(act, ms) {
    clearTimeout(waiting);
    waiting = setTimeout(act, ms);
  }

  for (const link of links) {
    link.removeAttribute("title"); // the card says it
    link.addEventListener("pointerenter", (event) => event.pointerType === "touch" || later(() => show(link), 150));
    link.addEventListener("pointerleave", () => later(hide, 250)); // time to reach the card
    link.addEventListener("focus", () => link.matches(":focus-visible") && show(link));
    link.addEventListener("blur", hide);
  }
  card.addEventListener("pointerenter", () => clearTimeout(waiting));
  card.addEventListener("pointerleave", () => later(hide, 250));
  document.addEventListener("keydown", (event) => event.key === "Escape" && hide());
});
