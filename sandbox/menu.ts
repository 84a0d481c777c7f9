import type { FastifyPluginAsync } from 'fastify'
import type { Guard } from '../src/providers/guard.ts'
import type { Mark } from '../src/providers/mark.ts'
import type { LoginJournal } from './demo-site/login-record.ts'
import type { ProviderDouble } from './doubles/double.ts'
import type { FaultGroup, FaultId } from './faults/catalogue.ts'
import { faultGroups, faultIds, faultOf, isFaultId } from './faults/catalogue.ts'
import type { SetFaults } from './faults/set-faults.ts'
import { faultTexts } from './faults/texts.ts'
import type { Html, Language, Title } from './web.ts'
import { bodyOf, drawn, html, isFromElsewhere, languageOf, sendPage } from './web.ts'

const texts = {
  en: {
    title: 'Sandbox of Auth-movies',
    about:
      'Doubles of the providers: every login can be tried without keys and without the internet, the bad days included. Choose what goes wrong at each provider, then log in on the demo site or on your own.',
    demo: 'Open the demo site',
    next: 'What goes wrong',
    works: 'Everything works',
    set: 'Apply',
    clear: 'Everything works again',
    done: 'Applied.',
    circuits: 'How the service sees the providers',
    breaker:
      'After five failures in a row the service sends no requests to a provider for ten seconds, and then tries it with one login at a time.',
    state: {
      closed: 'works: every login sends requests',
      open: 'no requests after failures (the circuit is open)',
      'half-open': 'will be tried with one login',
    },
    close: 'Send requests again now',
    catalogue: 'All faults',
    verdict: { right: 'the demo site did right', wrong: 'the demo site did wrong', open: 'tried' },
  },
  ru: {
    title: 'Песочница Auth-movies',
    about:
      'Заглушки провайдеров: любой вход можно попробовать без ключей и без интернета, в том числе плохие дни. Выберите, что сломается у каждого провайдера, и войдите на демонстрационном сайте или на своём.',
    demo: 'Открыть демонстрационный сайт',
    next: 'Что сломано',
    works: 'Всё работает',
    set: 'Применить',
    clear: 'Снова всё работает',
    done: 'Применено.',
    circuits: 'Состояние провайдеров с точки зрения сервиса',
    breaker:
      'После пяти сбоев подряд сервис на десять секунд прекращает запросы к провайдеру, а затем пробует его по одному входу.',
    state: {
      closed: 'работает: запросы идут при каждом входе',
      open: 'запросы прекращены после сбоев (circuit breaker разомкнут)',
      'half-open': 'будет опробован одним входом',
    },
    close: 'Возобновить запросы сейчас',
    catalogue: 'Все сбои',
    verdict: { right: 'демо-сайт поступил верно', wrong: 'демо-сайт поступил неверно', open: 'опробован' },
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
  readonly journal: LoginJournal
  /** The guard of a provider; undefined if no service runs with the sandbox. */
  readonly circuit: (name: string) => Pick<Guard, 'state' | 'works' | 'reset'> | undefined
}

/** The first page of the sandbox: a fault to choose for each provider, and the state of its circuit breaker. */
export function menu({ entries, faults, journal, circuit }: MenuOptions): FastifyPluginAsync {
  return async (app) => {
    app.addHook('onRequest', async (request, reply) => {
      if (request.method !== 'GET' && isFromElsewhere(request)) return reply.code(403).send()
      return undefined
    })

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
          : html`<h2>${t.circuits}</h2><p class="quiet">${t.breaker}</p><form method="post" action="/circuits"><dl class="card">${circuits}</dl></form>`
      return sendPage(reply, {
        lang,
        title: t.title,
        wide: true,
        body: html`<h1>${t.title}</h1><p>${t.about}</p><p><a class="button main" href="/demo/">${t.demo}</a></p>
<h2>${t.next}</h2><form method="post" action="/" class="card"><div class="cards">${selects}</div>
<p class="row"><button class="main">${t.set}</button><button name="clear" value="yes">${t.clear}</button>
<span role="status">${request.query.done === undefined ? '' : t.done}</span></p></form>
${shown}
<h2>${t.catalogue}</h2>${faultGroups.map((group) => groupOf(group, lang, journal))}`,
      })
    })

    app.post('/circuits', async (request, reply) => {
      const form = new URLSearchParams(bodyOf(request))
      circuit(form.get('close') ?? '')?.reset()
      return reply.redirect('/', 303)
    })

    app.post('/', async (request, reply) => {
      const form = new URLSearchParams(bodyOf(request))
      if (form.has('clear')) faults.clear()
      else applyChoices(form, entries, faults)
      return reply.redirect('/?done=1', 303)
    })
  }
}

function applyChoices(form: URLSearchParams, entries: readonly MenuEntry[], faults: SetFaults): void {
  for (const { double } of entries) {
    const id = form.get(double.name)
    if (id === '') faults.clear(double.name)
    else if (id !== null && isFaultId(id) && faults.providersOf(id).includes(double.name))
      faults.set(id, double.name)
  }
}

function groupOf(group: FaultGroup, lang: Language, journal: LoginJournal): Html {
  const cards = faultIds
    .filter((id) => faultOf(id).group === group)
    .map((id) => {
      const { title, happens } = faultTexts[lang].faults[id]
      return html`<li class="card"><h4><a href="/faults/${id}">${title}</a></h4><p>${happens}</p>${verdictOf(id, lang, journal)}</li>`
    })
  return html`<h3>${faultTexts[lang].groups[group]}</h3><ul class="cards">${cards}</ul>`
}

/** What the demo site did when the fault was played last. */
function verdictOf(id: FaultId, lang: Language, journal: LoginJournal): Html | undefined {
  const last = journal.last(id)
  if (last === undefined) return undefined
  const { verdict: words } = texts[lang]
  const verdict = faultOf(id).judge(last)
  if (verdict === undefined) return html`<p>${words.open}</p>`
  return verdict ? html`<p class="good">✓ ${words.right}</p>` : html`<p class="wrong">✗ ${words.wrong}</p>`
}
