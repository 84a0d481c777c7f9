import type { FastifyPluginAsync } from 'fastify'
import type { Guard } from '../src/providers/guard.ts'
import type { ProviderDouble } from './double.ts'
import { html, languageOf, sendPage } from './html.ts'
import type { Title } from './rules.ts'
import { play, scenarios } from './scenarios.ts'

const texts = {
  en: {
    title: 'Sandbox of Auth-movies',
    about:
      'Doubles of Yandex, Google and Mail.ru, so that every login can be tried without keys and without the internet. Choose how each shall behave, then log in on the demo site. After five failures in a row the service leaves a provider alone for ten seconds, and then tries it with one login at a time.',
    set: 'Apply',
    done: 'Applied.',
    demo: 'Open the demo site',
    circuits: 'What the service thinks of them',
    state: {
      closed: 'asked at every login',
      open: 'left alone after failures (the circuit is open)',
      'half-open': 'about to be tried with one login',
    },
    close: 'Ask again at once',
  },
  ru: {
    title: 'Песочница Auth-movies',
    about:
      'Заглушки Яндекса, Google и Mail.ru: любой вход можно попробовать без ключей и без интернета. Выберите, как каждый должен себя вести, и войдите на демонстрационном сайте. После пяти сбоев подряд сервис на десять секунд прекращает запросы к провайдеру, а затем пробует его по одному входу.',
    set: 'Применить',
    done: 'Применено.',
    demo: 'Открыть демонстрационный сайт',
    circuits: 'Состояние провайдеров с точки зрения сервиса',
    state: {
      closed: 'работает: запросы идут при каждом входе',
      open: 'запросы прекращены после сбоев (circuit breaker разомкнут)',
      'half-open': 'будет опробован одним входом',
    },
    close: 'Возобновить запросы сейчас',
  },
} as const

/** A double with the name that a person knows it by. */
export interface MenuEntry {
  readonly double: ProviderDouble
  readonly title: Title
}

/**
 * The first page of the sandbox: a scenario to choose for each provider, and what the service thinks of it.
 * @param circuit of the provider of that name; undefined where no service runs beside the sandbox
 */
export function menu(
  entries: () => readonly MenuEntry[],
  circuit: (name: string) => Pick<Guard, 'state' | 'works' | 'reset'> | undefined,
): FastifyPluginAsync {
  const chosen = new Map<string, string>()
  return async (app) => {
    app.get<{ Querystring: { done?: string } }>('/', async (request, reply) => {
      const lang = languageOf(request)
      const t = texts[lang]
      const selects = entries().map(
        ({ double: { name }, title }) =>
          html`<label>${title[lang]}<select name="${name}">${scenarios.map(
            (scenario) =>
              html`<option value="${scenario.name}"${chosen.get(name) === scenario.name ? html` selected` : undefined}>${scenario.title[lang]}</option>`,
          )}</select></label>`,
      )
      const circuits = entries().flatMap(({ double: { name }, title }) => {
        const guard = circuit(name)
        if (guard === undefined) return []
        // After a 429 the circuit is closed, and the provider is left alone all the same.
        const state = guard.state === 'closed' && !guard.works ? 'open' : guard.state
        const button =
          state === 'closed' ? undefined : html`<button name="close" value="${name}">${t.close}</button>`
        return [
          html`<dt>${title[lang]}</dt><dd data-circuit="${name}" data-state="${state}">${t.state[state]} ${button}</dd>`,
        ]
      })
      const shown =
        circuits.length === 0
          ? undefined
          : html`<h2>${t.circuits}</h2><form method="post" action="/circuits"><dl>${circuits}</dl></form>`
      return sendPage(reply, {
        lang,
        title: t.title,
        body: html`<h1>${t.title}</h1><p>${t.about}</p>
<form method="post" action="/" class="stack card">${selects}<div class="row"><button class="main">${t.set}</button>
<span role="status">${request.query.done === undefined ? '' : t.done}</span></div></form>
${shown}
<p><a class="button" href="/demo/">${t.demo}</a></p>`,
      })
    })

    app.post('/circuits', async (request, reply) => {
      const form = new URLSearchParams(typeof request.body === 'string' ? request.body : '')
      circuit(form.get('close') ?? '')?.reset()
      return reply.redirect('/', 303)
    })

    app.post('/', async (request, reply) => {
      const form = new URLSearchParams(typeof request.body === 'string' ? request.body : '')
      for (const { double } of entries()) {
        const scenario = scenarios.find(({ name }) => name === form.get(double.name))
        if (scenario === undefined) continue
        play(double, scenario)
        chosen.set(double.name, scenario.name)
      }
      return reply.redirect('/?done=1', 303)
    })
  }
}
