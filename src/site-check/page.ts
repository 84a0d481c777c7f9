import type { DefaultTreeAdapterTypes } from 'parse5'
import { parse } from 'parse5'

type Node = DefaultTreeAdapterTypes.ChildNode | DefaultTreeAdapterTypes.Document
type Element = DefaultTreeAdapterTypes.Element

/** Something to press: a form with one of its buttons, or a link. */
export interface Control {
  readonly kind: 'form' | 'link'
  readonly method: 'GET' | 'POST'
  readonly action: URL
  /** What the form sends, the button included. */
  readonly fields: readonly (readonly [name: string, value: string])[]
  /** The words on it. */
  readonly label: string
}

/** An HTML page as a browser without scripts sees it. */
export interface Page {
  /** The words that are shown, with single blanks. */
  readonly text: string
  readonly controls: readonly Control[]
  /** What it loads, from wherever: images, scripts, styles, frames. */
  readonly loads: readonly URL[]
}

/** Reads a page. Anything is HTML, so that this never fails. */
export function readPage(html: string, url: URL): Page {
  const document = parse(html)
  const elements = [...elementsOf(document)]
  const base =
    addressOf(
      elements.find(({ tagName }) => tagName === 'base'),
      'href',
      url,
    ) ?? url
  return {
    text: textOf(document),
    controls: [
      ...elements.filter(({ tagName }) => tagName === 'form').flatMap((form) => submissions(form, base)),
      ...elements.filter(({ tagName }) => tagName === 'a').flatMap((link) => followed(link, base)),
    ],
    loads: elements.flatMap((element) => loaded(element, base)),
  }
}

function* elementsOf(node: Node): Generator<Element> {
  if ('tagName' in node) yield node
  if ('childNodes' in node) for (const child of node.childNodes) yield* elementsOf(child)
}

function attribute(element: Element, name: string): string | undefined {
  return element.attrs.find((one) => one.name === name)?.value
}

function addressOf(element: Element | undefined, name: string, base: URL): URL | undefined {
  const value = element && attribute(element, name)
  return value !== undefined && URL.canParse(value, base.href) ? new URL(value, base) : undefined
}

const unseen = new Set(['script', 'style', 'template', 'head', 'noscript'])

function textOf(node: Node): string {
  const words = (one: Node): string => {
    if ('tagName' in one && unseen.has(one.tagName)) return ''
    if (one.nodeName === '#text' && 'value' in one) return one.value
    return 'childNodes' in one ? one.childNodes.map(words).join(' ') : ''
  }
  return words(node).replaceAll(/\s+/g, ' ').trim()
}

/** A form once for each of its buttons, and once without where it has none. */
function submissions(form: Element, base: URL): Control[] {
  const within = [...elementsOf(form)].filter((element) => attribute(element, 'disabled') === undefined)
  const buttons = within.filter(isSubmit)
  return (buttons.length === 0 ? [undefined] : buttons).map((button) => {
    const name = button && attribute(button, 'name')
    const method = (button && attribute(button, 'formmethod')) ?? attribute(form, 'method') ?? 'get'
    return {
      kind: 'form',
      method: method.toLowerCase() === 'post' ? 'POST' : 'GET',
      action: addressOf(button, 'formaction', base) ?? addressOf(form, 'action', base) ?? base,
      fields: [
        ...within.flatMap(fieldOf),
        ...(name === undefined ? [] : [[name, (button && attribute(button, 'value')) ?? ''] as const]),
      ],
      label: button === undefined ? '' : textOf(button) || (attribute(button, 'value') ?? ''),
    }
  })
}

function isSubmit(element: Element): boolean {
  const type = attribute(element, 'type')?.toLowerCase()
  if (element.tagName === 'button') return type === undefined || type === 'submit'
  return element.tagName === 'input' && (type === 'submit' || type === 'image')
}

/** What a field of a form sends. */
function fieldOf(element: Element): [] | [readonly [string, string]] {
  const name = attribute(element, 'name')
  if (name === undefined) return []
  const type = attribute(element, 'type')?.toLowerCase() ?? 'text'
  switch (element.tagName) {
    case 'input':
      if (['submit', 'image', 'button', 'reset', 'file'].includes(type)) return []
      if (['checkbox', 'radio'].includes(type))
        return attribute(element, 'checked') === undefined
          ? []
          : [[name, attribute(element, 'value') ?? 'on']]
      return [[name, attribute(element, 'value') ?? '']]
    case 'textarea':
      return [[name, textOf(element)]]
    case 'select': {
      const options = [...elementsOf(element)].filter(({ tagName }) => tagName === 'option')
      const chosen = options.find((option) => attribute(option, 'selected') !== undefined) ?? options[0]
      return chosen === undefined ? [] : [[name, attribute(chosen, 'value') ?? textOf(chosen)]]
    }
    default:
      return []
  }
}

function followed(link: Element, base: URL): [] | [Control] {
  const action = addressOf(link, 'href', base)
  if (action === undefined || !action.protocol.startsWith('http')) return []
  return [{ kind: 'link', method: 'GET', action, fields: [], label: textOf(link) }]
}

const sources: Readonly<Record<string, string>> = {
  img: 'src',
  script: 'src',
  iframe: 'src',
  link: 'href',
  video: 'src',
  audio: 'src',
  source: 'src',
}

function loaded(element: Element, base: URL): URL[] {
  const name = sources[element.tagName]
  const url = name === undefined ? undefined : addressOf(element, name, base)
  return url?.protocol.startsWith('http') === true ? [url] : []
}
