// Short texts of many kinds on which runs measure what the base has forgotten (docs/decisions/0046). Written for this project, so
// that no license comes with them; a constant, so that every process has the same ones without reading a file. Values of
// different runs are comparable only while these texts stay as they are.

export const GENERAL_TEXTS: readonly string[] = [
  'Water boils when the pressure of its vapour equals that of the air above it. On a high mountain the air presses less, so the kettle sings sooner, but potatoes take longer to become soft.',
  'In the spring the merchants returned to the harbour with salt, wool and news from the north. The town had paid for a new bridge, and the families could not agree whose name it should carry.',
  'To make a simple soup, cut two onions and three carrots, fry them in oil until they are golden, add a litre of water and a little salt, and let everything cook slowly for half an hour.',
  'Dear Anna, thank you for your letter. The children are well, and the garden is full of apples this year. Could you bring your ladder when you visit us next week? Yours, Peter.',
  'def average(numbers):\n    """Return the mean of a list, or zero if it is empty."""\n    if not numbers:\n        return 0\n    return sum(numbers) / len(numbers)\n',
  'Question: A train leaves at nine and travels two hundred kilometres at eighty kilometres an hour. When does it arrive? Answer: It travels for two and a half hours, so it arrives at half past eleven.',
  'The city council decided on Tuesday to close the old swimming pool for repairs. A spokeswoman said that the work would take about six months and that schools could use the lake until then.',
  '"Are you sure this is the way?" she asked. "I was, an hour ago," he said, and turned the map around. Behind them the lights of the village had disappeared, and it had begun to rain.',
];
