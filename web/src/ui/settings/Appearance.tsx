import { change, settings } from '../../state/settings';
import { setTheme, THEMES, theme } from '../../state/theme';
import { text } from '../../strings/en';
import { Choices } from '../kit/Choices';

export function Appearance() {
  return (
    <section>
      <h2>{text.settingsSections.appearance}</h2>
      <Choices
        legend={text.theme}
        choices={THEMES}
        labels={text.themes}
        value={theme()}
        onChange={setTheme}
      />
      <Choices
        legend={text.density}
        choices={['compact', 'comfortable'] as const}
        labels={text.densities}
        value={settings().density}
        onChange={(density) => change({ density })}
      />
      <Choices
        legend={text.textSize}
        choices={['small', 'normal', 'large'] as const}
        labels={text.textSizes}
        value={settings().size}
        onChange={(size) => change({ size })}
      />
      <Choices
        legend={text.sendWith}
        choices={['enter', 'mod'] as const}
        labels={text.sendKeys}
        value={settings().send}
        onChange={(send) => change({ send })}
      />
    </section>
  );
}
