// Mounts the explorables of a page. Their source stands in the page: modules cannot be loaded from a disk.
document.addEventListener("DOMContentLoaded", () => {
  for (const host of document.querySelectorAll("div.explorable")) {
    const source = document.querySelector(`script[data-explorable="${host.dataset.name}"]`).textContent;
    const state = new Map();
    const model = { get: (key) => state.get(key), set: (key, value) => state.set(key, value), save_changes() {}, on() {}, off() {} };
    import(URL.createObjectURL(new Blob([source], { type: "text/javascript" })))
      .then((module) => module.default.render({ model, el: host }));
  }
});
