// Sockets. What differs between versions of k6 ends here: where the module is,
// and how the close code is told.

const WebSocket = implementation();

/**
 * What is k6/websockets today stood among the experiments before. An `import` of a module that is
 * not there ends the run, a `require` can be survived. The name is a variable on purpose: k6 looks
 * for literal names ahead of the run, and refuses those it does not know.
 */
function implementation() {
  let missing;
  for (const name of ['k6/websockets', 'k6/experimental/websockets']) {
    try {
      return require(name).WebSocket;
    } catch (error) {
      missing = error;
    }
  }
  throw missing;
}

/**
 * Opens a socket. `onText` is given the text and when it came (ms), `onEnd` is called once and last,
 * with the close code, or null where there was none: the socket was refused, or broke.
 */
export function open(url, token, { onOpen, onText, onEnd }) {
  const socket = new WebSocket(url, null, {
    headers: { Authorization: `Bearer ${token}` },
    tags: { name: '/ws' },
  });
  let opened = false;
  let unwanted = false;
  let over = false;
  let trouble = '';
  const end = (code) => {
    if (over) return;
    over = true;
    onEnd(code);
  };
  socket.onopen = () => {
    opened = true;
    if (unwanted) socket.close();
    else onOpen();
  };
  // When k6 took it from the network, not when the script came round to it.
  socket.onmessage = (event) => {
    if (!over) onText(event.data, event.timestamp || Date.now());
  };
  socket.onerror = (event) => {
    trouble = String(event.error || '');
  };
  socket.onclose = (event) => end(closeCode(event, trouble));
  return {
    send(text) {
      if (opened && !over && socket.readyState === 1) socket.send(text);
    },
    /** The end by this side; nothing is heard of it afterwards. */
    close() {
      over = true;
      unwanted = true;
      // One that is not open yet must not be closed: some versions then wait for ever.
      if (opened && socket.readyState === 1) socket.close();
    },
  };
}

/** Older versions tell it in the text of the error only: `websocket: close 1012 (…)`. */
export function closeCode(event, trouble) {
  if (event.code) return event.code === 1006 ? null : event.code;
  const told = /\bclose (\d{4})\b/.exec(trouble);
  return told === null || told[1] === '1006' ? null : Number(told[1]);
}
