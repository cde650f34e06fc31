import { ask } from "../shared/api.js";
import { button, element } from "../shared/dom.js";
import { texts } from "../shared/languages.js";
import { problemView } from "../shared/problem.js";
import { answerView } from "./answer.js";

const remembered = 10; // earlier turns that the service is told of
const longestMessage = 8000; // letters, as the service takes them

/**
 * The turns of a conversation: each question with its answer, or what came in its way.
 * Answers stay with the page, so that Back shows them at once. `answered(questions)` is called when a turn is.
 */
export function startConversation(container, { announce, answered }) {
  const known = new Map(); // from the questions up to a turn to its answer
  let turns = [];

  /** Shows exactly these questions. Turns that are there already stay; new ones are asked, one after another. */
  function show(questions) {
    // The address of a very long conversation has lost its oldest questions.
    const begins = (turn, first) => turns.slice(first).every(({ question }, place) => question === questions[place]);
    const first = turns.length > 0 ? Math.max(turns.findIndex(begins), 0) : 0;
    drop(turns.splice(0, first));
    const stays = questions.findIndex((question, place) => turns[place]?.question !== question);
    drop(turns.splice(stays < 0 ? questions.length : stays));
    for (const question of questions.slice(turns.length)) turns.push(newTurn(question));
    answerNext();
  }

  function drop(gone) {
    for (const turn of gone) {
      turn.asking?.abort();
      turn.view.remove();
    }
  }

  function newTurn(question) {
    const turn = { question, number: (turns.at(-1)?.number ?? 0) + 1, answer: null, asking: null, view: element("div", { class: "turn" }) };
    container.append(turn.view);
    draw(turn, waitingView(question, texts.searching));
    return turn;
  }

  async function answerNext() {
    const turn = turns.find(({ answer }) => !answer);
    if (!turn || turn.asking) return;
    const asked = key(turn);
    if (!known.has(asked)) await answerTurn(turn, asked);
    if (!known.has(asked) || !turns.includes(turn)) return;
    turn.answer = known.get(asked);
    drawAnswer(turn);
    answered(upTo(turn).map(({ question }) => question));
    announce(turn.answer.answered ? texts.announce(turn.answer.short_answer, turn.answer.citations.length) : turn.answer.answer);
    answerNext();
  }

  async function answerTurn(turn, asked) {
    turn.asking = new AbortController();
    const { signal } = turn.asking;
    announce(texts.searching);
    try {
      const told = upTo(turn).slice(0, -1).slice(-remembered).flatMap(messages);
      known.set(asked, await ask(turn.question, told, { signal, onEvent: progress(turn) }));
    } catch (error) {
      if (signal.aborted) return;
      announce("");
      draw(turn, problemView(error, askAgain(turn), "h2"));
    }
  }

  function askAgain(turn) {
    return button(texts.tryAgain, () => {
      turn.asking = null;
      draw(turn, waitingView(turn.question, texts.searching));
      answerNext();
    });
  }

  // The words of an answer as they come; the finished answer then takes their place.
  function progress(turn) {
    let words = "";
    return (name, data) => {
      if (name === "token") words += data.text;
      draw(turn, waitingView(turn.question, texts.stages[data.name] ?? texts.searching, words));
    };
  }

  function drawAnswer(turn) {
    draw(turn, answerView(turn, { announce }));
  }

  function key(turn) {
    return JSON.stringify(upTo(turn).map(({ question }) => question));
  }

  function upTo(turn) {
    return turns.slice(0, turns.indexOf(turn) + 1);
  }

  return {
    show,
    /** The same conversation in the words of another language. */
    translate: () => turns.filter(({ answer }) => answer).forEach(drawAnswer),
  };
}

function draw(turn, view) {
  turn.view.replaceChildren(view);
  turn.view.setAttribute("aria-busy", String(view.matches(".waiting")));
}

// What the service needs to understand a question that leans on those before it.
function messages({ question, answer }) {
  const content = [answer.answered && answer.short_answer, answer.answer].filter(Boolean).join("\n\n");
  return [
    { role: "user", content: question },
    { role: "assistant", content: content.slice(0, longestMessage) },
  ];
}

function waitingView(question, stage, words = "") {
  const bars = ["long", "long", "short"].map((length) => element("span", { class: `bar ${length}` }));
  return element(
    "div",
    { class: "waiting" },
    element("h2", { class: "asked" }, question),
    element("p", { class: "stage", "aria-hidden": "true" }, stage),
    ...(words ? [element("p", { class: "coming", "aria-hidden": "true" }, words)] : bars),
  );
}
