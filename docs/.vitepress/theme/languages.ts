import { useData } from 'vitepress'
import { computed } from 'vue'

/**
 * Replaces VitePress's composable of this name, which leads to a page that does not exist where a page has no
 * translation (the decisions are in English only): then the switch leads to the start of the other language.
 */
export function useLangs({ correspondingLink = false } = {}) {
  const { site, localeIndex, page, frontmatter } = useData()
  const currentLang = computed(() => ({
    label: site.value.locales[localeIndex.value]?.label,
    link: site.value.locales[localeIndex.value]?.link ?? '/',
  }))
  const localeLinks = computed(() =>
    Object.entries(site.value.locales)
      .filter(([key]) => key !== localeIndex.value)
      .map(([key, { label }]) => {
        if (!correspondingLink || frontmatter.value.translated !== true)
          return { text: label, link: `/${key}/` }
        const path = page.value.relativePath.slice(localeIndex.value.length + 1)
        const route = path.replace(/(^|\/)index\.md$/, '$1').replace(/\.md$/, '.html')
        // The headings of the other language have other anchors.
        return { text: label, link: `/${key}/${route}` }
      }),
  )
  return { localeLinks, currentLang }
}
