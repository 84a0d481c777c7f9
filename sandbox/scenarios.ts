import type { CommonSwitches, ProviderDouble } from './double.ts'
import type { Title } from './rules.ts'

/** A way in which a provider or a person can behave, to be chosen in the menu. */
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

/** The menu, from everyday life to disaster; the first is how a double behaves by itself. */
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
    title: { ru: 'Обмен кода: нет ответа', en: 'Exchange of the code: no answer' },
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
    title: { ru: 'Профиль: ответ по байту', en: 'Profile: an answer byte by byte' },
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

/** Puts one double into a scenario, out of whichever it was in. */
export function play(double: ProviderDouble, scenario: Scenario): void {
  change({ refuseWith: undefined, person: {}, codeLifetime: 600, forgetClient: false, callback: undefined })(
    double,
  )
  double.fault('token', undefined)
  double.fault('userinfo', undefined)
  scenario.apply(double)
}
