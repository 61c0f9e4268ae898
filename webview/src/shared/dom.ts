// Creates DOM nodes. Nothing here parses HTML, so text needs no escaping.

export type Child = Node | string | null | undefined | false;

export interface Properties {
  class?: string;
  /** Attributes by their HTML names; `false` and `null` omit one, `true` sets it to the empty string. */
  [attribute: string]: string | number | boolean | null | undefined | EventListener;
}

/** `h('p', { class: 'help' }, 'text')`; a function as `onclick` and the like becomes a listener. */
export function h<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  properties: Properties = {},
  ...children: Child[]
): HTMLElementTagNameMap[K] {
  return fill(document.createElement(tag), properties, children);
}

const SVG = 'http://www.w3.org/2000/svg';

export function svg<K extends keyof SVGElementTagNameMap>(
  tag: K,
  properties: Properties = {},
  ...children: Child[]
): SVGElementTagNameMap[K] {
  return fill(document.createElementNS(SVG, tag), properties, children);
}

export function fill<E extends Element>(element: E, properties: Properties, children: readonly Child[] = []): E {
  for (const [name, value] of Object.entries(properties)) {
    if (typeof value === 'function') element.addEventListener(name.replace(/^on/, ''), value);
    else setAttribute(element, name, value);
  }
  element.append(...children.filter(child => child !== null && child !== undefined && child !== false));
  return element;
}

export function setAttribute(
  element: Element,
  name: string,
  value: string | number | boolean | null | undefined,
): void {
  if (value === false || value === null || value === undefined) element.removeAttribute(name);
  else element.setAttribute(name, value === true ? '' : String(value));
}

/** Writes text only where it differs, so as not to disturb screen readers and selections. */
export function setText(element: Element, text: string): void {
  if (element.textContent !== text) element.textContent = text;
}

export function icon(name: string, className = ''): HTMLElement {
  return h('span', { class: `codicon codicon-${name} ${className}`.trim(), 'aria-hidden': 'true' });
}

let lastId = 0;
/** For `aria-describedby` and the like. */
export function uniqueId(prefix: string): string {
  return `${prefix}-${++lastId}`;
}

/** Replaces the children only if they differ, since that would take the focus from them. */
export function place(parent: HTMLElement, children: readonly HTMLElement[]): void {
  if (
    children.length === parent.childElementCount &&
    children.every((child, index) => parent.children[index] === child)
  )
    return;
  for (const child of [...parent.children]) if (!children.includes(child as HTMLElement)) child.remove();
  children.forEach((child, index) => {
    if (parent.children[index] !== child) parent.insertBefore(child, parent.children[index] ?? null);
  });
}
