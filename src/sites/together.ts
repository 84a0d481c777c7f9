import { setTimeout as sleep } from 'node:timers/promises'

/** How many keys go into one call. */
const most = 1_000

interface Batch<Found> {
  readonly keys: Set<string>
  readonly answers: Promise<ReadonlyMap<string, Found>>
}

/**
 * Collects what is asked within a moment and loads it by one call: however much is asked, the calls stay few.
 * @param load gives what it finds, by key
 * @param milliseconds how long the first of a batch waits for others
 */
export function together<Found>(
  load: (keys: readonly string[]) => Promise<ReadonlyMap<string, Found>>,
  milliseconds: number,
): (key: string) => Promise<Found | undefined> {
  let open: Batch<Found> | undefined
  const begin = (): Batch<Found> => {
    const keys = new Set<string>()
    const send = async () => {
      await sleep(milliseconds)
      if (open?.keys === keys) open = undefined
      return await load([...keys])
    }
    return { keys, answers: send() }
  }
  return async (key) => {
    if (open === undefined || open.keys.size >= most) open = begin()
    const { keys, answers } = open
    keys.add(key)
    return (await answers).get(key)
  }
}
