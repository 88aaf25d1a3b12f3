// Mounts the explorables of a page, before MathJax takes its seconds. Their source stands in the page: modules cannot be loaded from a disk.
function mount(host) {
  const source = document.querySelector(`script[data-explorable="${host.dataset.name}"]`).textContent;
  const state = new Map();
  const model = { get: (key) => state.get(key), set: (key, value) => state.set(key, value), save_changes() {}, on() {}, off() {} };
  return import(URL.createObjectURL(new Blob([source], { type: "text/javascript" })))
    .then((module) => module.default.render({ model, el: host }));
}

const explorables = new Promise((done) => document.addEventListener("DOMContentLoaded",
  () => done(Promise.allSettled([...document.querySelectorAll("div.explorable")].map(mount)))));
if (window.MathJax) window.MathJax.startup = { pageReady: () => explorables.then(() => MathJax.startup.defaultPageReady()) };
