import { render } from 'solid-js/web';
import '@fontsource-variable/geist/index.css';
import './styles/base.css';
import './styles/auth.css';
import './styles/shell.css';
import './styles/chat.css';
import { boot } from './state/app';
import { App } from './ui/App';

const root = document.getElementById('app');
if (root === null) throw new Error('the page has no #app');
boot();
render(() => <App />, root);
