import type { FastifyPluginAsync } from 'fastify'
import type { Guard } from '../src/providers/guard.ts'
import type { Mark } from '../src/providers/mark.ts'
import type { ProviderDouble } from './doubles/double.ts'
import type { CommonSwitches } from './doubles/provider-rules.ts'
import type { Title } from './web.ts'
import { bodyOf, drawn, html, languageOf, sendPage } from './web.ts'

/** How a provider or a person behaves: an entry to choose in the menu. */
export interface Scenario {
  readonly name: string
  readonly title: Title
  apply(double: ProviderDouble): void
}

const change =
  (switches: Partial<CommonSwitches>) =>
  (double: ProviderDouble): void => {
    Object.assign(double.switches, switches)
  }

/** The entries of the menu, from common to rare. The first one is how a double behaves by default. */
export const scenarios: readonly Scenario[] = [
  { name: 'works', title: { ru: 'Всё работает', en: 'Everything works' }, apply: () => {} },
  {
    name: 'refused',
    title: { ru: 'Пользователь всегда отказывается', en: 'The person always refuses' },
    apply: change({ refuseWith: 'access_denied' }),
  },
  {
    name: 'no-email',
    title: { ru: 'У аккаунта нет email', en: 'The account has no email' },
    apply: change({ person: { email: null } }),
  },
  {
    name: 'no-name',
    title: { ru: 'Имя пустое', en: 'The name is empty' },
    apply: change({ person: { name: '' } }),
  },
  {
    name: 'busy',
    title: { ru: 'Провайдер перегружен', en: 'The provider is overloaded' },
    apply: change({ refuseWith: 'temporarily_unavailable' }),
  },
  {
    name: 'expired-code',
    title: { ru: 'Срок кода уже истёк', en: 'The code has expired already' },
    apply: change({ codeLifetime: 0 }),
  },
  {
    name: 'secret-changed',
    title: { ru: 'Секрет приложения сменили', en: 'The application’s secret was changed' },
    apply: change({ forgetClient: true }),
  },
  {
    name: 'token-503',
    title: { ru: 'Обмен кода: 503', en: 'Exchange of the code: 503' },
    apply: (double) => double.fault('token', '503-html'),
  },
  {
    name: 'token-429',
    title: { ru: 'Обмен кода: слишком много запросов', en: 'Exchange of the code: too many requests' },
    apply: (double) => double.fault('token', '429'),
  },
  {
    name: 'token-hang',
    title: { ru: 'Обмен кода: нет ответа', en: 'Exchange of the code: no response' },
    apply: (double) => double.fault('token', 'hang'),
  },
  {
    name: 'token-reset',
    title: { ru: 'Обмен кода: обрыв связи', en: 'Exchange of the code: connection reset' },
    apply: (double) => double.fault('token', 'reset'),
  },
  {
    name: 'token-html',
    title: { ru: 'Обмен кода: HTML вместо JSON', en: 'Exchange of the code: HTML in place of JSON' },
    apply: (double) => double.fault('token', '200-html'),
  },
  {
    name: 'profile-503',
    title: { ru: 'Профиль: 503', en: 'Profile: 503' },
    apply: (double) => double.fault('userinfo', '503-html'),
  },
  {
    name: 'profile-slow',
    title: { ru: 'Профиль: ответ по байту', en: 'Profile: a response byte by byte' },
    apply: (double) => double.fault('userinfo', 'slow-body'),
  },
  {
    name: 'no-state',
    title: { ru: 'Возврат без state', en: 'A callback without state' },
    apply: change({ callback: 'no-state' }),
  },
  {
    name: 'repeated-code',
    title: { ru: 'Возврат с двумя code', en: 'A callback with two codes' },
    apply: change({ callback: 'repeated-code' }),
  },
]

/** Puts a double into a scenario, after it has ended the previous one. */
function play(double: ProviderDouble, scenario: Scenario): void {
  change({ refuseWith: undefined, person: {}, codeLifetime: 600, forgetClient: false, callback: undefined })(
    double,
  )
  double.fault('token', undefined)
  double.fault('userinfo', undefined)
  scenario.apply(double)
}

const texts = {
  en: {
    title: 'Sandbox of Auth-movies',
    about:
      'Doubles of the providers, so that every login can be tried without keys and without the internet. Choose how each provider behaves, then log in on the demo site. After five failures in a row the service sends no requests to a provider for ten seconds, and then tries it with one login at a time.',
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

/**
 * The first page of the sandbox: a scenario to choose for each provider, and the state of its circuit breaker.
 * @param circuit returns the guard of a provider; undefined if no service runs with the sandbox
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
        ({ double: { name }, title, mark }) =>
          html`<label><span>${drawn(mark)}${title[lang]}</span><select name="${name}">${scenarios.map(
            (scenario) =>
              html`<option value="${scenario.name}"${chosen.get(name) === scenario.name ? html` selected` : undefined}>${scenario.title[lang]}</option>`,
          )}</select></label>`,
      )
      const circuits = entries().flatMap(({ double: { name }, title }) => {
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
