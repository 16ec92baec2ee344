import { render } from 'solid-js/web';
import '@fontsource-variable/geist/index.css';
import './styles/tokens.css';
import './styles/base.css';
import './styles/kit.css';
import './styles/auth.css';
import './styles/shell.css';
import './styles/overlays.css';
import './styles/chat.css';
import './styles/messages.css';
import './styles/composer.css';
import './styles/settings.css';
import { boot } from './state/app';
// Followed from the start, whichever tab changes it.
import './state/theme';
import { App } from './ui/App';

const root = document.getElementById('app');
if (root === null) throw new Error('the page has no #app');
boot();
render(() => <App />, root);
