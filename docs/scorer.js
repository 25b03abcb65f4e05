// In search results, names of few parts come first: `gamma` of mininet.MomentumNet before that of mininet.bridges.torch.
var Scorer = {
  score: ([page, title, anchor, description, score, file, kind]) =>
    kind === "object" ? score - title.split(".").length / 10 + /\.[A-Z]/.test(title) / 100 : score,
  objNameMatch: 11,
  objPartialMatch: 6,
  objPrio: { 0: 15, 1: 5, 2: -5 },
  objPrioDefault: 0,
  title: 15,
  partialTitle: 7,
  term: 5,
  partialTerm: 2,
};
