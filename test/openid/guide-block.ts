import { readFile } from 'node:fs/promises'
import { readGuide } from '../docs/guide.ts'
import type { ServiceForClient } from './program.ts'

/** The code of a library's page in the guide, as it is written. */
export async function guideBlock(page: string, language: string): Promise<string> {
  const { text } = await readGuide('en', `openid-connect/${page}`)
  const block = new RegExp(`^\`\`\`${language}\n(.*?)^\`\`\`$`, 'ms').exec(text)?.[1]
  if (block === undefined) throw new Error(`The page ${page} has no ${language}.`)
  return block
}

/** The same with the values of a test in place of the examples: what a reader does with it. */
export async function filledBlock(
  page: string,
  language: string,
  { service, client }: ServiceForClient,
): Promise<string> {
  const block = await guideBlock(page, language)
  const values = {
    'https://login.example': service.config.publicUrl,
    'https://site.example': new URL(client.redirectUri).origin,
    site_b3X9c1QdRk0Z: client.id,
    'SECRET-FROM-THE-OPERATOR': client.secret,
  }
  return Object.entries(values).reduce((text, [example, value]) => text.replaceAll(example, value), block)
}

/** Lines of the guide's code that a program which runs in a test does not have. */
export async function linesMissingIn(program: string, page: string, language: string): Promise<string[]> {
  const lines = (text: string) => text.split('\n').map((line) => line.trim())
  const there = new Set(lines(await readFile(program, 'utf8')))
  return lines(await guideBlock(page, language)).filter((line) => !there.has(line))
}
