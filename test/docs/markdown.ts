import { readdir, readFile } from 'node:fs/promises'
import { join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { slug as slugOf } from '../../docs/.vitepress/links.ts'

/** The repository, with a slash at its end. */
export const root = fileURLToPath(new URL('../../', import.meta.url))

const ignored = new Set(['node_modules', '.git', '.data', '.tap', 'dist'])

/** The paths of all files in a folder of the repository, except installed and generated ones. */
export async function filesUnder(folder: string): Promise<string[]> {
  const entries = await readdir(join(root, folder), { withFileTypes: true })
  const nested = await Promise.all(
    entries
      .filter((entry) => !ignored.has(entry.name))
      .map(async (entry) => {
        const path = relative(root, join(root, folder, entry.name))
        if (entry.isDirectory()) return await filesUnder(path)
        return entry.isFile() ? [path] : []
      }),
  )
  return nested.flat().toSorted()
}

/** A file of the repository. */
export function readText(path: string): Promise<string> {
  return readFile(join(root, path), 'utf8')
}

/** A fenced block: its info string, and its lines without the indent of the fence. */
export interface CodeBlock {
  readonly info: string
  readonly text: string
}

const fence = /^( *)```(.*)\n([^]*?)^ *```$/gm

/** All fenced blocks, in order. */
export function codeBlocks(markdown: string): CodeBlock[] {
  return Array.from(markdown.matchAll(fence), ([, indent = '', info = '', text = '']) => ({
    info: info.trim(),
    text: text
      .split('\n')
      .map((line) => line.slice(indent.length))
      .join('\n'),
  }))
}

/** Without code, in which nothing is a link or a heading. */
export function prose(markdown: string): string {
  return markdown.replaceAll(fence, '').replaceAll(/`[^`\n]*`/g, (code) => code.replaceAll(/[[\]()]/g, ''))
}

/** The targets of all inline links. */
export function links(markdown: string): string[] {
  return Array.from(prose(markdown).matchAll(/\[[^\]]*\]\(([^()\s]+)\)/g), ([, target = '']) => target)
}

/** The anchors of all headings, as GitHub makes them: lower case, punctuation gone, spaces to hyphens. */
export function anchors(markdown: string): Set<string> {
  const found = new Set<string>()
  for (const [, heading = ''] of prose(markdown).matchAll(/^#{1,6} (.+)$/gm)) {
    const slug = slugOf(heading)
    let anchor = slug
    for (let count = 1; found.has(anchor); count += 1) anchor = `${slug}-${count}`
    found.add(anchor)
  }
  return found
}

/** The rows of all tables, cell by cell, without header and rule. */
export function tableRows(markdown: string): string[][] {
  const rows = markdown.split('\n').map((line) => (/^\| .*\|$/.test(line) ? cells(line) : undefined))
  return rows.flatMap((row, index) => {
    const next = rows[index + 1]
    const rule = (cell: string) => /^:?-+:?$/.test(cell)
    return row === undefined || row.every(rule) || next?.every(rule) === true ? [] : [row]
  })
}

function cells(line: string): string[] {
  return line
    .slice(1, -1)
    .split('|')
    .map((cell) => cell.trim())
}
