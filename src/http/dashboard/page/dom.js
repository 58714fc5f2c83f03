// Helpers for the document: everything shown is set as text, never as HTML, with invisible characters spelt out.
import { toVisible } from './visible.js';

/**
 * The element with this id; the page always has it.
 * @template {HTMLElement} [E=HTMLElement]
 * @param {string} id
 * @param {{ new (): E }} type
 * @returns {E}
 */
export function byId(id, type = /** @type {{ new (): E }} */ (/** @type {unknown} */ (HTMLElement))) {
  const element = document.getElementById(id);
  if (!(element instanceof type)) throw new Error(`the page has no ${type.name} “${id}”`);
  return element;
}

/**
 * Sets a text only if it changed, so that screen readers read nothing out twice.
 * @param {string} id
 * @param {string} text
 */
export function setText(id, text) {
  const element = byId(id);
  const visible = toVisible(text);
  if (element.textContent !== visible) element.textContent = visible;
}

/**
 * Creates an element; `null` children are left out.
 * @template {keyof HTMLElementTagNameMap} T
 * @param {T} tag
 * @param {Record<string, string>} attributes
 * @param {(Node | string | null)[]} children
 */
export function create(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  const shown = children.filter((child) => child !== null);
  element.append(...shown.map((child) => (typeof child === 'string' ? toVisible(child) : child)));
  return element;
}
