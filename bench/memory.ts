import { serviceFlow } from './flow.ts'
import { startMain } from './main-process.ts'
import { median, runStep } from './measure.ts'
import { startServers } from './servers.ts'

/** After how many logins the memory is looked at. */
export const milestones = [10_000, 50_000, 100_000] as const

/**
 * V8 takes a quarter of a container's memory for its heap: this one is that of a pod of deploy/kubernetes, which has 512 MiB.
 * The other option is of the Dockerfile's CMD.
 */
const heapOfPod = ['--max-old-space-size=128', '--max-semi-space-size=8']

/** MiB of the resident set after as many logins. */
export type MemoryResults = Readonly<Record<string, number>>

/** Measures the memory of the service, as an operator starts it, after more and more logins by new people. */
export async function measureMemory(): Promise<MemoryResults> {
  const servers = await startServers()
  try {
    const program = await startMain(await servers.environment(), heapOfPod)
    const subject = { name: 'ours', program, flow: serviceFlow() }
    const results: Record<string, number> = { 0: await mebibytes(program) }
    let logins = 0
    for (const milestone of milestones) {
      await runStep(subject, 'login', [], milestone - logins)
      logins = milestone
      results[logins] = await mebibytes(program)
      console.error(`${logins} logins: ${results[logins]} MiB`)
    }
    await program.end()
    return results
  } finally {
    await servers.end()
  }
}

async function mebibytes(program: { memory(): Promise<number> }): Promise<number> {
  return Math.round((await program.memory()) / 2 ** 20)
}

/** The median of milliseconds from the start of the process to its first answered request, on servers that are there. */
export async function measureStart({ rounds }: { rounds: number }): Promise<number> {
  const servers = await startServers()
  try {
    const environment = await servers.environment()
    const times: number[] = []
    for (let round = 0; round <= rounds; round++) {
      const program = await startMain(environment)
      // The first start makes the signing keys.
      if (round > 0) times.push(program.startedWithin)
      await program.end()
    }
    return Math.round(median(times))
  } finally {
    await servers.end()
  }
}
