// Access to the document: everything is set as visible text, never as HTML.
import { toVisible } from './visible.js';

export const byId = (id) => document.getElementById(id);

/** Sets a text only where it changed, so that screen readers do not repeat it. */
export function setText(id, text) {
  const node = byId(id);
  const visible = toVisible(text);
  if (node.textContent !== visible) node.textContent = visible;
}

/** Makes an element; `null` children are left out. */
export function create(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  const shown = children.filter((child) => child !== null);
  node.append(...shown.map((child) => (typeof child === 'string' ? toVisible(child) : child)));
  return node;
}
