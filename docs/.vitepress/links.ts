import { posix } from 'node:path'

/** Where a relative link of a page leads, on the site. */
export type Target =
  /** Another page: its route, with the extension `.md`, which VitePress checks and replaces. */
  | { readonly kind: 'page'; readonly route: string }
  /** A file of the repository that is no page: it is copied to this address. */
  | { readonly kind: 'file'; readonly path: string; readonly address: string }

/**
 * The pages whose place on the site is not that of their file: what exists in English only lies in the English tree.
 * Patterns as VitePress takes them, from below `docs/`.
 */
export const rewrites: Readonly<Record<string, string>> = {
  'README.md': 'index.md',
  'performance.md': 'en/performance.md',
  'decisions/README.md': 'en/decisions/index.md',
  'decisions/:page': 'en/decisions/:page',
}

/** The place on the site of a page below `docs/`. */
export function routeOf(page: string): string {
  const exact = rewrites[page]
  if (exact !== undefined) return exact
  return page.startsWith('decisions/') ? `en/${page}` : page
}

/**
 * Resolves a relative link.
 * @param page path of the page below `docs/`, such as `en/index.md`
 * @param link without its anchor
 * @throws {Error} where it leads to a folder, which a site of files cannot show
 */
export function resolveLink(page: string, link: string): Target {
  const path = posix.normalize(posix.join('docs', posix.dirname(page), decodeURI(link)))
  if (path.endsWith('/'))
    throw new Error(
      `${page}: the link ${link} leads to a folder. Link to a file of it, or write its path as code.`,
    )
  if (path.startsWith('docs/') && path.endsWith('.md'))
    return { kind: 'page', route: `/${routeOf(path.slice('docs/'.length))}` }
  return { kind: 'file', path, address: `/repository/${publicName(path)}` }
}

/** A name that every web server serves as text: no leading dot, and no Markdown, which browsers save instead of showing. */
function publicName(path: string): string {
  const name = posix.basename(path)
  const shown = name.startsWith('.') || name.endsWith('.md') ? `${name.replace(/^\./, '')}.txt` : name
  return posix.join(posix.dirname(path), shown)
}

/** Whether a link leads to another place of the repository, rather than elsewhere or to a heading of its own page. */
export function isRelative(link: string): boolean {
  return link !== '' && !/^([a-z]+:|#|\/)/i.test(link)
}

/**
 * The anchor of a heading as GitHub makes it: lower case, punctuation gone, spaces to hyphens. The site has the same, so
 * that a link to a heading leads there in both.
 */
export function slug(heading: string): string {
  return heading
    .trim()
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{M}\p{N}\p{Pc} -]/gu, '')
    .replaceAll(' ', '-')
}
