// Whatever scrolls sideways can be reached with Tab, so that the arrow keys scroll it; what fits is left out.
document.addEventListener("DOMContentLoaded", () => {
  const wide = "mjx-container[display], .bd-article table, .bd-article pre, .cell_output .output";
  const reach = (box) => {
    if (box.scrollWidth > box.clientWidth) box.tabIndex = 0;
    else if (box.tabIndex === 0) box.removeAttribute("tabindex");
  };
  const watch = new ResizeObserver((seen) => seen.forEach(({ target }) => reach(target)));
  const all = () => document.querySelectorAll(wide).forEach((box) => watch.observe(box));
  all();
  window.MathJax?.startup?.promise?.then(all);
});
