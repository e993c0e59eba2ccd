// The token in the address's fragment, which no server sees, is exchanged for a cookie that no script sees.
'use strict';

document.addEventListener('alpine:init', () => {
  Alpine.data('signIn', () => ({
    message: 'Signing in…',

    async init() {
      const token = location.hash.slice(1);
      history.replaceState(null, '', '/');
      try {
        await (token ? Console.post('/api/session', { token }) : Console.get('/api/session'));
        location.replace('/jobs');
      } catch (error) {
        this.message = error.message;
      }
    },
  }));
});
