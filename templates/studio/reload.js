// Loads the page again when the article, a picture or a template changes. The place stays.
const { url, version } = document.currentScript.dataset;

setInterval(async () => {
  const answer = await fetch(url).catch(() => null);
  if (answer?.ok && (await answer.text()) !== version) location.reload();
}, 1000);
