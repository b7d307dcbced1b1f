// What can only be mended in the browser; the pages' own marks are mended when they are built.

// The button reads "Search" and its keys; a shorter label would hide them from voice control.
document.querySelector(".search-button-field")?.removeAttribute("aria-label");

// A frame that scrolls sideways is reached by keyboard while it does, and skipped while it does not.
const FRAMES = ".pst-scrollable-table-container, .cell_output .output.text_html, article :is(div.math, pre)";
const frames = new ResizeObserver((entries) => {
  for (const { target } of entries) {
    const frame = target.closest(FRAMES);
    const scrolls = frame.scrollWidth > frame.clientWidth;
    // The theme itself lets the keyboard reach an output.
    if (!frame.matches(".output")) frame.tabIndex = scrolls ? 0 : -1;
    frame.classList.toggle("scrolls", scrolls);
  }
});
for (const frame of document.querySelectorAll(FRAMES)) {
  frames.observe(frame);
  if (frame.firstElementChild) frames.observe(frame.firstElementChild);
}

// The theme lets the keyboard reach outputs that scroll, but measures only on load and on
// resize, when the content of a closed part has no width. So opening one counts as a resize.
document.addEventListener("click", (event) => {
  if (event.target.closest("summary, .admonition-title")) {
    window.dispatchEvent(new Event("resize"));
  }
});
