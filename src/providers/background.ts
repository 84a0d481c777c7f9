import type { FastifyInstance } from 'fastify'

/** Work of a provider that belongs to no login, such as fetching keys. It begins when the service starts. */
export interface BackgroundWork {
  /** Names the work in the log. */
  readonly name: string
  readonly work: () => Promise<void>
  /** Milliseconds from one success to the next run: an hour where absent. */
  readonly every?: number
  /** Milliseconds from a failure to the next attempt: a minute where absent. @param failures in a row, 1 after the first */
  readonly again?: (failures: number) => number
}

const hour = 3_600_000
const minute = 60_000

/**
 * Runs such work from the moment that the app is ready until it closes. Failures only go to the log.
 * @param provider its name, for the log
 */
export function runInBackground(
  app: FastifyInstance,
  provider: string,
  { name, work, every = hour, again = () => minute }: BackgroundWork,
): void {
  let timer: NodeJS.Timeout | undefined
  let closed = false
  let failures = 0
  const run = async () => {
    const failure = await work().then(
      () => undefined,
      (error: unknown) => ({ error }),
    )
    if (closed) return
    failures = failure === undefined ? 0 : failures + 1
    if (failure !== undefined)
      app.log.warn({ err: failure.error, provider, work: name }, 'background work of a provider failed')
    timer = setTimeout(() => void run(), failure === undefined ? every : again(failures)).unref()
  }
  app.addHook('onReady', async () => void run())
  app.addHook('onClose', async () => {
    closed = true
    clearTimeout(timer)
  })
}
