/** What search engines show of a description. */
const longest = 200
/** A paragraph that says less than this is not enough alone. */
const enough = 60

/**
 * What a page says of itself to search engines and previews: the first whole sentences of its prose, as plain text. A
 * sentence with a link leads elsewhere, and is left out.
 * @param markdown the page
 * @returns at most 200 characters; empty where the page has no prose
 */
export function descriptionOf(markdown: string): string {
  let description = ''
  for (const paragraph of markdown.split(/\n{2,}/).filter((text) => /^(?!```)[\p{L}`*[]/u.test(text)))
    for (const sentence of paragraph.replaceAll(/\s+/g, ' ').match(/.+?[.!?](?= |$)|.+$/g) ?? []) {
      const longer = `${description} ${sentence.replaceAll(/[`*]/g, '').trim()}`.trim()
      if (description.length >= enough && longer.length > longest) return finished(description)
      if (!sentence.includes('](')) description = longer
    }
  return finished(description)
}

/** Within the length, and without what ends an attribute, as VitePress writes it unescaped. */
function finished(sentences: string): string {
  const text = sentences.replaceAll(/"([^"]*)"/g, '“$1”').replaceAll(/["<>&]/g, '')
  if (text.length > longest) return `${text.slice(0, longest - 1).replace(/\s+\S*$/, '')}…`
  return text.replace(/:$/, '.')
}
