import { randomBytes } from 'node:crypto'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Static } from 'typebox'
import { Type } from 'typebox'
import { Compile } from 'typebox/compile'
import type { Config } from './config.ts'

/** The folder in which development keeps the embedded database and its secret key. */
export const dataDirectory = '.data'

/**
 * The key that seals the signing keys, made at the first start and kept beside the data that it seals (mode 0600). For
 * development only, as strict mode requires SECRET_KEYS.
 * @returns a list of one key of 32 bytes
 */
async function developmentSecretKeys(directory: string): Promise<Buffer[]> {
  const path = join(directory, 'secret-keys')
  await mkdir(directory, { recursive: true, mode: 0o700 })
  // 'wx' fails where the file exists: of two first starts at once, one makes the key and both read it.
  await writeFile(path, randomBytes(32).toString('base64'), { mode: 0o600, flag: 'wx' }).catch(ignoreExisting)
  const key = Buffer.from(await readFile(path, 'utf8'), 'base64')
  if (key.length !== 32)
    throw new Error(`${path} does not hold a key of 32 bytes: remove it, and the data with it.`)
  return [key]
}

/**
 * The keys that seal the signing keys: SECRET_KEYS, or in development a key that the service makes itself.
 * @returns newest first
 */
export async function secretKeysOf(
  { mode, secretKeys }: Pick<Config, 'mode' | 'secretKeys'>,
  directory: string,
): Promise<readonly Buffer[]> {
  return mode === 'development' && secretKeys.length === 0
    ? await developmentSecretKeys(directory)
    : secretKeys
}

/** Where the last `npm start` was to be found, as variables. */
const LastStart = Type.Object({ PUBLIC_URL: Type.String(), SANDBOX_PORT: Type.String() })
type LastStart = Static<typeof LastStart>
const compiledLastStart = Compile(LastStart)

/** Writes down where this start is to be found: a command in another terminal need not be told ports that are not the usual ones. */
export async function rememberStart(directory: string, start: LastStart): Promise<void> {
  await writeFile(join(directory, 'last-start.json'), JSON.stringify(start))
}

/** Where the last start was to be found; undefined where none was, or the file is damaged. */
export async function lastStart(directory: string): Promise<LastStart | undefined> {
  try {
    const start: unknown = JSON.parse(await readFile(join(directory, 'last-start.json'), 'utf8'))
    return compiledLastStart.Check(start) ? start : undefined
  } catch {
    return undefined
  }
}

function ignoreExisting(error: NodeJS.ErrnoException): void {
  if (error.code !== 'EEXIST') throw error
}
