import { startNginx } from '../test/support/nginx.ts'
import { serviceFlow } from './flow.ts'
import type { Subject } from './measure.ts'
import { median, runStep } from './measure.ts'
import type { Program } from './program.ts'
import { startProgram } from './program.ts'
import { startServers } from './servers.ts'

/** The share of one core that each process gets, so that service, databases and driver together need less than the machine has. */
export const share = 0.15

/** Whole logins and refreshes a second: medians, each process held to its share. */
export interface BalanceResults {
  readonly one: Readonly<Record<'login' | 'refresh', number>>
  readonly two: Readonly<Record<'login' | 'refresh', number>>
}

const counts = { login: 200, refresh: 800 } as const

/** Requests under way: a process that is halted most of the time answers late, so that fewer would not keep two busy. */
const concurrency = 192

/**
 * Measures one process and two behind nginx. On a machine of two cores the databases and the driver need one of them, so
 * that two processes at full speed would only show the end of the machine. Each process is therefore halted most of the
 * time: what is shown is whether two do twice as much as one, while nothing else is short.
 */
export async function measureBalance({ rounds }: { rounds: number }): Promise<BalanceResults> {
  const servers = await startServers()
  const endings: (() => unknown)[] = [() => servers.end()]
  const teardown = (ending: () => unknown) => void endings.push(ending)
  try {
    const environment = await servers.environment()
    const start = async () => {
      const program = await startProgram({ script: 'service.ts', env: environment })
      teardown(() => program.end())
      return program
    }
    const programs = [await start(), await start()]
    const holder = await startProgram({
      script: 'hold.ts',
      args: [String(share), ...programs.map(({ pid }) => String(pid))],
    })
    teardown(() => holder.end())
    const behind = async (name: string, backends: readonly Program[]): Promise<Subject> => {
      const ports = backends.map(({ url }) => new URL(url).port)
      const { url } = await startNginx({ teardown }, ports)
      return { name, program: { ...programs[0], url } as Program, flow: serviceFlow() }
    }
    const subjects = { one: await behind('one', programs.slice(0, 1)), two: await behind('two', programs) }
    const speeds: Record<string, number[]> = {}
    for (let round = 0; round <= rounds; round++)
      for (const name of ['one', 'two'] as const) {
        const subject = subjects[name]
        const times = name === 'one' ? 1 : 2
        const login = await runStep(subject, 'login', [], counts.login * times, concurrency)
        const refresh = await runStep(subject, 'refresh', login.tickets, counts.refresh * times, concurrency)
        if (round === 0) continue
        ;(speeds[`${name} login`] ??= []).push(login.sample.perSecond)
        ;(speeds[`${name} refresh`] ??= []).push(refresh.sample.perSecond)
      }
    const of = (name: string) => median(speeds[name] ?? [])
    return {
      one: { login: of('one login'), refresh: of('one refresh') },
      two: { login: of('two login'), refresh: of('two refresh') },
    }
  } finally {
    for (const ending of endings.toReversed()) await ending()
  }
}
