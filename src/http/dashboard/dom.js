// The page's few handles on the document: everything shown is set as text, never as HTML.

export const byId = (id) => document.getElementById(id);

/** Sets a text only where it changed, so that nothing is read out twice. */
export function setText(id, text) {
  const node = byId(id);
  if (node.textContent !== text) node.textContent = text;
}

/** Makes an element; `null` children are left out. */
export function create(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children.filter((child) => child !== null));
  return node;
}
