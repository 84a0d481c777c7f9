import type { FastifyPluginAsync, FastifyReply, FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import { Value } from 'typebox/value'
import type { LoginJournal } from '../demo-site/login-record.ts'
import { bodyOf, isFromElsewhere, queryOf } from '../web.ts'
import type { FaultId } from './catalogue.ts'
import { faultIds, faultOf } from './catalogue.ts'
import { expectationToJson, sawExpected, seenBy } from './expectation.ts'
import type { SetFaults } from './set-faults.ts'
import { FaultError, hintOfFault } from './set-faults.ts'
import { faultTexts, seenInWords } from './texts.ts'

/** What the routes of faults need. */
export interface FaultRoutesOptions {
  readonly faults: SetFaults
  readonly journal: LoginJournal
  /** Closes the circuits of all providers, or of one. */
  readonly closeCircuits: (provider: string | undefined) => void
}

const Wish = Type.Object(
  {
    fault: Type.String(),
    provider: Type.Optional(Type.String()),
    times: Type.Optional(Type.Integer({ minimum: 1, maximum: 1_000_000 })),
  },
  { additionalProperties: false },
)

/** The faults over HTTP, for a site's own tests: what there is, what is set, and what the demo site saw. */
export function faultRoutes({ faults, journal, closeCircuits }: FaultRoutesOptions): FastifyPluginAsync {
  const refuse = (reply: FastifyReply, error: string, status = 400) => reply.code(status).send({ error })

  const set = (reply: FastifyReply, wish: unknown) => {
    if (!Value.Check(Wish, wish)) {
      const [first] = Value.Errors(Wish, wish)
      return refuse(
        reply,
        `The body must be {"fault": "…", "provider"?: "…", "times"?: 1}: ${first?.instancePath ?? ''} ${first?.message ?? ''}.`,
      )
    }
    return attempt(reply, () => faults.set(wish.fault, wish.provider, wish.times))
  }

  const attempt = (reply: FastifyReply, change: () => void) => {
    try {
      change()
    } catch (error) {
      if (error instanceof FaultError) return refuse(reply, error.message)
      throw error
    }
    return reply.send({ set: faults.list() })
  }

  return async (app) => {
    app.addHook('onRequest', async (request, reply) => {
      if (request.method !== 'GET' && isFromElsewhere(request))
        return refuse(reply, 'A page of another site may not change the sandbox.', 403)
      reply.header('cache-control', 'no-store')
      return undefined
    })

    app.get('/faults', async () => ({
      faults: faultIds.map((id) => toJson(id, faults, journal)),
      set: faults.list(),
    }))

    app.post('/faults', async (request, reply) => {
      const json = isJson(request) ? parse(bodyOf(request)) : undefined
      if (json === undefined) return refuse(reply, 'The body must be JSON, with its Content-Type.', 415)
      return set(reply, json)
    })

    app.delete('/faults', async (request, reply) => {
      const provider = queryOf(request).get('provider') ?? undefined
      return attempt(reply, () => {
        faults.clear(provider)
        closeCircuits(provider)
      })
    })
  }
}

/** A fault of the catalogue as JSON, with what the demo site saw of it last. */
export function toJson(id: FaultId, faults: SetFaults, journal: LoginJournal) {
  const { group, sees, judge, demo } = faultOf(id)
  const both = (text: (language: 'ru' | 'en') => string | undefined) => ({ ru: text('ru'), en: text('en') })
  const texts = { ru: faultTexts.ru.faults[id], en: faultTexts.en.faults[id] }
  const last = journal.last(id)
  return {
    id,
    group,
    title: both((language) => texts[language].title),
    happens: both((language) => texts[language].happens),
    sees: {
      ...expectationToJson(sees),
      ...both((language) => [seenInWords(sees, language), texts[language].sees].filter(Boolean).join(' ')),
    },
    should: both((language) => texts[language].should),
    ...(texts.en.byHand !== undefined && { by_hand: both((language) => texts[language].byHand) }),
    /** Only the demo site can have it: to another site the sandbox cannot do that. */
    demo_site_only: demo !== undefined,
    providers: faults.providersOf(id),
    login_hint: hintOfFault(id),
    ...(last !== undefined && {
      last: {
        provider: last.provider,
        at: last.startedAt.toISOString(),
        saw: seenBy(last),
        as_expected: sawExpected(sees, last),
        did_right: judge(last) ?? null,
      },
    }),
  }
}

function isJson({ headers }: FastifyRequest): boolean {
  return /^application\/json\s*(;|$)/i.test(headers['content-type'] ?? '')
}

function parse(body: string): unknown {
  try {
    return JSON.parse(body)
  } catch {
    return undefined
  }
}
