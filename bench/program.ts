import { fork } from 'node:child_process'
import { once } from 'node:events'
import type { Profiler } from 'node:inspector'
import { fileURLToPath } from 'node:url'
import { end } from '../test/support/process.ts'

/** A program of the bench that runs in a process of its own. */
export interface Program {
  readonly url: string
  readonly pid: number
  /** Microseconds of CPU that all its threads have used so far. */
  cpu(): Promise<number>
  /** Bytes of its resident set. */
  memory(): Promise<number>
  end(): Promise<void>
}

/** A program that V8's profiler can look into. */
export interface ProfiledProgram extends Program {
  /** Profiles it until `stop`. */
  profile(): Promise<{ stop(): Promise<Profiler.Profile> }>
}

/** How a program is started. */
export interface ProgramOptions {
  /** Its file: a URL, or a path relative to this folder. */
  readonly script: string | URL
  readonly args?: readonly string[]
  readonly env?: Readonly<Record<string, string>>
}

/**
 * Starts a program in production mode and waits until it serves. Its standard output, where the log goes, is /dev/null.
 * @throws {Error} if it ends before
 */
export async function startProgram({ script, args = [], env }: ProgramOptions): Promise<ProfiledProgram> {
  const file = fileURLToPath(new URL(script, import.meta.url))
  const child = fork(file, [...args], {
    env: { ...process.env, NODE_ENV: 'production', ...env },
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  })
  const ended = once(child, 'exit').then(() => {
    throw new Error(`${file} has ended.`)
  })
  // Later it is awaited only together with a question.
  ended.catch(() => {})
  const reply = async () => {
    const [message]: unknown[] = await Promise.race([once(child, 'message'), ended])
    return message
  }
  const ask = async (question: 'cpu' | 'memory' | 'start-profile' | 'profile') => {
    const answer = reply()
    child.send(question)
    return await answer
  }
  const url = String(await reply())
  return {
    url,
    pid: child.pid ?? 0,
    cpu: async () => Number(await ask('cpu')),
    memory: async () => Number(await ask('memory')),
    async profile() {
      await ask('start-profile')
      return { stop: async () => profileIn(await ask('profile')) }
    },
    end: () => end(child, 'SIGINT'),
  }
}

/** @throws {TypeError} where a program sent something else */
function profileIn(message: unknown): Profiler.Profile {
  if (!isProfile(message)) throw new TypeError('The program sent no profile.')
  return message
}

function isProfile(message: unknown): message is Profiler.Profile {
  return typeof message === 'object' && message !== null && 'nodes' in message && 'samples' in message
}
