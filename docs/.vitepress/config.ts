import { existsSync, readFileSync } from 'node:fs'
import { relative, sep } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { DefaultTheme, MarkdownRenderer } from 'vitepress'
import { defineConfig } from 'vitepress'
import { descriptionOf } from './description.ts'
import { isRelative, resolveLink, rewrites, slug } from './links.ts'
import type { Group, Kind, Language } from './navigation.ts'
import { kinds } from './navigation.ts'
import { russianSearch, words } from './words.ts'

const docs = fileURLToPath(new URL('../', import.meta.url))

/** The first heading of a page. */
function titleOf(language: Language, page: string): string {
  const file = page.startsWith('/') ? page.replace(/\/$/, '/README') : `${language}/${page}`
  const text = readFileSync(`${docs}${file}.md`, 'utf8')
  return (/^# (.+)$/m.exec(text)?.[1] ?? page).replaceAll('`', '')
}

const routeTo = (language: Language, page: string) =>
  page.startsWith('/') ? `/en${page}` : `/${language}/${page.replace(/(^|\/)index$/, '$1')}`

/** What the sidebar calls a page: a page that is titled as its group is the overview of the group. */
function nameOf(language: Language, group: Group, page: string): string {
  const title = titleOf(language, page)
  return title === group.title[language] ? words[language].overview : title
}

/** The groups of one kind of pages, as a sidebar shows them: open, as a title that folds cannot be operated by everybody. */
const groupsOf = (kind: Kind, language: Language): DefaultTheme.SidebarItem[] =>
  kind.groups.map((group) => ({
    text: group.title[language],
    items: group.pages.map((page) =>
      page.endsWith('.json')
        ? { text: page.slice(1), link: page, target: '_blank' }
        : { text: nameOf(language, group, page), link: routeTo(language, page) },
    ),
  }))

/** The site's menu and sidebar in one language. Every page carries them, so that there is one sidebar and not one per page. */
function navigation(language: Language): DefaultTheme.Config {
  const sidebar = kinds.map((kind) => ({ text: kind.title[language], items: groupsOf(kind, language) }))
  const nav = kinds.map(({ title, groups }) => ({
    text: title[language],
    link: routeTo(language, groups[0]?.pages[0] ?? 'index'),
  }))
  return { ...words[language].theme, sidebar, nav }
}

const locale = (language: Language) => {
  const { label, lang, description } = words[language]
  return { label, lang, description, link: `/${language}/`, themeConfig: navigation(language) }
}

/** Leads every relative link to where the page or file is on the site. */
function repositoryLinks(markdown: MarkdownRenderer): void {
  markdown.core.ruler.push('repository-links', ({ tokens, env }) => {
    const page = relative(docs, String(env.realPath ?? env.path))
      .split(sep)
      .join('/')
    for (const { children } of tokens)
      for (const token of children ?? []) {
        const href = token.type === 'link_open' ? token.attrGet('href') : null
        if (href === null || !isRelative(href)) continue
        const [path = '', anchor] = href.split('#', 2)
        const target = resolveLink(page, path)
        if (target.kind === 'page')
          token.attrSet('href', anchor === undefined ? target.route : `${target.route}#${anchor}`)
        else {
          token.attrSet('href', target.address)
          // VitePress's router must not look for a page there.
          token.attrSet('target', '_blank')
        }
      }
  })
}

/** A drawing that is wider than the screen is moved sideways, by the keyboard, too: its paragraph can be focused. */
function focusableDrawings(markdown: MarkdownRenderer): void {
  markdown.core.ruler.push('focusable-drawings', ({ tokens }) => {
    for (const [at, { children }] of tokens.entries())
      if (children?.length === 1 && children[0]?.type === 'image') tokens[at - 1]?.attrSet('tabindex', '0')
  })
}

/** Colours of code that can be read by everybody (WCAG 2, 1.4.3). */
const codeThemes = { light: 'github-light-high-contrast', dark: 'github-dark-high-contrast' } as const

/** Languages of code that Shiki has no grammar for, or knows by another name. */
const languageAlias = { conf: 'ini', haproxy: 'nginx' }

export default defineConfig({
  title: 'Auth-movies',
  description: words.en.description,
  cacheDir: './node_modules/.cache/vitepress',
  rewrites: { ...rewrites },
  locales: { en: locale('en'), ru: locale('ru') },
  markdown: {
    anchor: { slugify: slug },
    theme: codeThemes,
    languageAlias,
    config(markdown) {
      repositoryLinks(markdown)
      focusableDrawings(markdown)
    },
  },
  themeConfig: {
    search: { provider: 'local', options: { locales: { ru: { translations: russianSearch } } } },
  },
  transformPageData(page) {
    page.description ||= descriptionOf(readFileSync(`${docs}${page.filePath}`, 'utf8'))
    const [, language = '', rest = ''] = /^(en|ru)\/(.*)$/.exec(page.relativePath) ?? []
    const other = language === 'en' ? 'ru' : 'en'
    // The language switch leads to the same page in the other language, and from what has none to its start.
    if (language !== '') page.frontmatter.translated = existsSync(`${docs}${other}/${rest}`)
  },
  vite: {
    resolve: {
      alias: [
        {
          find: /^.*\/composables\/langs(\.js)?$/,
          replacement: fileURLToPath(new URL('theme/languages.ts', import.meta.url)),
        },
      ],
    },
    build: { chunkSizeWarningLimit: 2_000 },
  },
})
