import { randomBytes } from 'node:crypto'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
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

function ignoreExisting(error: NodeJS.ErrnoException): void {
  if (error.code !== 'EEXIST') throw error
}
