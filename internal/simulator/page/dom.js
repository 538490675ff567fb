// Changes to the page that touch it only where something differs, and put text
// in as text.

export function byId(id) {
  return document.getElementById(id);
}

export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

export function setAttribute(node, name, value) {
  if (value === null) {
    if (node.hasAttribute(name)) node.removeAttribute(name);
  } else if (node.getAttribute(name) !== value) {
    node.setAttribute(name, value);
  }
}

export function setHidden(node, hidden) {
  if (node.hidden !== hidden) node.hidden = hidden;
}

// element makes <name class="…">text</name>.
export function element(name, className, text) {
  const node = document.createElement(name);
  if (className) node.className = className;
  if (text !== undefined) node.textContent = text;
  return node;
}

// copyOf clones the one element of a template.
export function copyOf(templateId) {
  return byId(templateId).content.firstElementChild.cloneNode(true);
}

// parts collects the elements of node that are marked with data-of.
export function parts(node) {
  const found = {};
  for (const part of node.querySelectorAll('[data-of]')) found[part.dataset.of] = part;
  return found;
}

// arrange makes the children of parent exactly nodes, in this order, and moves
// none that is in its place.
export function arrange(parent, nodes) {
  const wanted = new Set(nodes);
  for (const child of [...parent.children]) if (!wanted.has(child)) child.remove();
  let at = parent.firstElementChild;
  for (const node of nodes) {
    if (node === at) {
      at = at.nextElementSibling;
    } else {
      parent.insertBefore(node, at);
    }
  }
}

// perFrame returns a function that runs work with the next frame, once however
// often it is called, and leaves pause milliseconds between two runs. Hidden pages
// have no frames: they run it once a second.
export function perFrame(work, pause = 0) {
  let asked = false;
  let last = -Infinity;
  const run = () => {
    asked = false;
    last = performance.now();
    work();
  };
  return () => {
    if (asked) return;
    asked = true;
    const wait = last + pause - performance.now();
    if (document.hidden) setTimeout(run, 1000);
    else if (wait > 0) setTimeout(() => requestAnimationFrame(run), wait);
    else requestAnimationFrame(run);
  };
}
