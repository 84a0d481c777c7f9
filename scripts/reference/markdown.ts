import type { Language } from '../../docs/.vitepress/navigation.ts'

/** Says an English text of the code in the language of the page. */
export type Say = (english: string) => string

/** A table in Markdown; a cell may hold Markdown, but no line break. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) =>
    `| ${cells.map((text) => cell(text) || ' ').join(' | ')} |`.replaceAll(/ {2,}\|/g, ' |')
  return [line(head), `|${' :-- |'.repeat(head.length)}`, ...rows.map(line)].join('\n')
}

/** Text of a cell: no bar ends it, and nothing looks like HTML. */
export function cell(text: string): string {
  return text.replaceAll('|', String.raw`\|`).replaceAll(/<(?=[a-z/])/gi, String.raw`\<`)
}

/** The first lines of a generated page: its title, what it is, and where its twin is. */
export function head(language: Language, name: string, title: string, text: string): string {
  const twin =
    language === 'en'
      ? `[The same page in Russian](../../ru/reference/${name}.md).`
      : `[Эта же страница по-английски](../../en/reference/${name}.md).`
  const made =
    language === 'en'
      ? 'This page is made out of the code by `npm run docs -- generate`; do not edit it.'
      : 'Эта страница составлена по коду командой `npm run docs -- generate`; не правьте её вручную.'
  return `# ${title}\n\n${text} ${twin}\n\n${made}`
}
