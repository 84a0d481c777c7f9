import { readFile } from 'node:fs/promises'

/** A guide of the documentation in one of its languages. */
export interface Guide {
  readonly text: string
  /** What follows "```sh NAME", by name. */
  readonly requests: ReadonlyMap<string, string>
  /** The samples in JavaScript, in their order. */
  readonly samples: readonly string[]
  /** The samples in other languages, by the word at the top of their block: `python`, `go`. */
  readonly checks: ReadonlyMap<string, string>
}

/** Reads `docs/LANGUAGE/NAME.md` and takes its code out. */
export async function readGuide(language: 'en' | 'ru', name: string): Promise<Guide> {
  const text = await readFile(new URL(`../../docs/${language}/${name}.md`, import.meta.url), 'utf8')
  const blocks = [...text.matchAll(/^```(\w+)(?: ([\w-]+))?\n(.*?)^```$/gms)]
  const requests = blocks.flatMap(([, kind, called, code = '']): [string, string][] =>
    kind === 'sh' ? [[called ?? '', code]] : [],
  )
  if (new Set(requests.map(([called]) => called)).size < requests.length)
    throw new Error(`Two blocks of ${language}/${name}.md have one name, or none.`)
  return {
    text,
    requests: new Map(requests),
    samples: blocks.flatMap(([, kind, , code = '']) => (kind === 'js' ? [code] : [])),
    checks: new Map(
      blocks.flatMap(([, kind = '', , code = '']): [string, string][] =>
        ['sh', 'js', 'json'].includes(kind) ? [] : [[kind, code]],
      ),
    ),
  }
}
