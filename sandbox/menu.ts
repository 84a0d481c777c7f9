import type { FastifyPluginAsync } from 'fastify'
import type { Guard } from '../src/providers/guard.ts'
import type { Mark } from '../src/providers/mark.ts'
import type { ProviderDouble } from './doubles/double.ts'
import { faultGroups, faultIds, faultOf, isFaultId } from './faults/catalogue.ts'
import type { SetFaults } from './faults/set-faults.ts'
import { faultTexts } from './faults/texts.ts'
import type { Title } from './web.ts'
import { bodyOf, drawn, html, languageOf, sendPage } from './web.ts'

const texts = {
  en: {
    title: 'Sandbox of Auth-movies',
    about:
      'Doubles of the providers, so that every login can be tried without keys and without the internet. Choose how each provider behaves, then log in on the demo site. After five failures in a row the service sends no requests to a provider for ten seconds, and then tries it with one login at a time.',
    works: 'Everything works',
    set: 'Apply',
    done: 'Applied.',
    demo: 'Open the demo site',
    circuits: 'How the service sees the providers',
    state: {
      closed: 'works: every login sends requests',
      open: 'no requests after failures (the circuit is open)',
      'half-open': 'will be tried with one login',
    },
    close: 'Send requests again now',
  },
  ru: {
    title: 'Песочница Auth-movies',
    about:
      'Заглушки провайдеров: любой вход можно попробовать без ключей и без интернета. Выберите, как каждый должен себя вести, и войдите на демонстрационном сайте. После пяти сбоев подряд сервис на десять секунд прекращает запросы к провайдеру, а затем пробует его по одному входу.',
    works: 'Всё работает',
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

/** A double and the name that people know. */
export interface MenuEntry {
  readonly double: ProviderDouble
  readonly title: Title
  readonly mark: Mark | undefined
}

/** What the menu shows and changes. */
export interface MenuOptions {
  readonly entries: readonly MenuEntry[]
  readonly faults: SetFaults
  /** The guard of a provider; undefined if no service runs with the sandbox. */
  readonly circuit: (name: string) => Pick<Guard, 'state' | 'works' | 'reset'> | undefined
}

/** The first page of the sandbox: a fault to choose for each provider, and the state of its circuit breaker. */
export function menu({ entries, faults, circuit }: MenuOptions): FastifyPluginAsync {
  return async (app) => {
    app.get<{ Querystring: { done?: string } }>('/', async (request, reply) => {
      const lang = languageOf(request)
      const t = texts[lang]
      const chosen = new Map<string, string>(faults.list().map(({ provider, fault }) => [provider, fault]))
      const selects = entries.map(
        ({ double: { name }, title, mark }) =>
          html`<label><span>${drawn(mark)}${title[lang]}</span><select name="${name}"><option value="">${t.works}</option>${faultGroups.map(
            (group) =>
              html`<optgroup label="${faultTexts[lang].groups[group]}">${faultIds
                .filter((id) => faultOf(id).group === group && faults.providersOf(id).includes(name))
                .map(
                  (id) =>
                    html`<option value="${id}"${chosen.get(name) === id ? html` selected` : undefined}>${faultTexts[lang].faults[id].title}</option>`,
                )}</optgroup>`,
          )}</select></label>`,
      )
      const circuits = entries.flatMap(({ double: { name }, title }) => {
        const guard = circuit(name)
        if (guard === undefined) return []
        // After a 429 the circuit is closed, but no request is sent until the back-off ends.
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
      const form = new URLSearchParams(bodyOf(request))
      circuit(form.get('close') ?? '')?.reset()
      return reply.redirect('/', 303)
    })

    app.post('/', async (request, reply) => {
      const form = new URLSearchParams(bodyOf(request))
      for (const { double } of entries) {
        const id = form.get(double.name)
        if (id === '') faults.clear(double.name)
        else if (id !== null && isFaultId(id) && faults.providersOf(id).includes(double.name))
          faults.set(id, double.name)
      }
      return reply.redirect('/?done=1', 303)
    })
  }
}
