import { readFile, writeFile } from 'node:fs/promises'
import { basename } from 'node:path'
import type { Test } from 'tap'
import type { Program } from '../examples/run-example.ts'

/** What is replaced in an example; each must be there exactly once. */
export type Changes = readonly (readonly [was: string, becomes: string])[]

/** A copy of an example, in a folder of the test, with these changes. The last argument of its program is its file. */
export async function spoil(t: Test, { command, args }: Program, changes: Changes): Promise<Program> {
  const original = args.at(-1) ?? ''
  let text = await readFile(original, 'utf8')
  for (const [was, becomes] of changes) {
    t.equal(text.split(was).length, 2, `once: ${was}`)
    text = text.replace(was, () => becomes)
  }
  const file = `${t.testdir({})}/${basename(original)}`
  await writeFile(file, text)
  return { command, args: [...args.slice(0, -1), file] }
}

/** The changes after which the example in Node.js finishes the login of any browser. */
export const withoutComparison: Changes = [
  ['const ours = session?.states.includes(state)', 'const ours = !session?.access_token'],
  ['      session.states = session.states.filter((one) => one !== state)\n', ''],
  ['sessions.delete(session.id)\n    }', 'sessions.delete(session?.id)\n    }'],
]
