/** Names of emoji for completion; loaded when somebody types a colon. */
const TABLE = `
smile 😄|grin 😁|joy 😂|rofl 🤣|slight_smile 🙂|wink 😉|blush 😊|heart_eyes 😍|kissing_heart 😘|thinking 🤔|
neutral 😐|expressionless 😑|smirk 😏|unamused 😒|roll_eyes 🙄|grimacing 😬|relieved 😌|pensive 😔|sleepy 😪|
sleeping 😴|mask 😷|nauseated 🤢|hot 🥵|cold 🥶|dizzy_face 😵|exploding_head 🤯|cowboy 🤠|partying 🥳|sunglasses 😎|
nerd 🤓|confused 😕|worried 😟|frowning 🙁|open_mouth 😮|astonished 😲|flushed 😳|pleading 🥺|cry 😢|sob 😭|scream 😱|
disappointed 😞|sweat 😓|tired 😫|yawning 🥱|triumph 😤|angry 😠|rage 😡|skull 💀|clown 🤡|ghost 👻|robot 🤖|
wave 👋|ok_hand 👌|v ✌️|crossed_fingers 🤞|point_up ☝️|point_down 👇|point_left 👈|point_right 👉|thumbsup 👍|+1 👍|
thumbsdown 👎|-1 👎|fist ✊|clap 👏|raised_hands 🙌|open_hands 👐|handshake 🤝|pray 🙏|writing ✍️|muscle 💪|eyes 👀|
brain 🧠|heart ❤️|orange_heart 🧡|yellow_heart 💛|green_heart 💚|blue_heart 💙|purple_heart 💜|black_heart 🖤|
broken_heart 💔|two_hearts 💕|sparkling_heart 💖|hundred 💯|boom 💥|dash 💨|sweat_drops 💦|speech 💬|zzz 💤|
dog 🐶|cat 🐱|mouse 🐭|rabbit 🐰|fox 🦊|bear 🐻|panda 🐼|koala 🐨|tiger 🐯|lion 🦁|cow 🐮|pig 🐷|frog 🐸|monkey 🐵|
see_no_evil 🙈|hear_no_evil 🙉|speak_no_evil 🙊|chicken 🐔|penguin 🐧|bird 🐦|owl 🦉|bee 🐝|bug 🐛|butterfly 🦋|snail 🐌|
turtle 🐢|snake 🐍|octopus 🐙|crab 🦀|fish 🐟|dolphin 🐬|whale 🐳|unicorn 🦄|cactus 🌵|tree 🌳|seedling 🌱|herb 🌿|
four_leaf_clover 🍀|maple_leaf 🍁|mushroom 🍄|rose 🌹|sunflower 🌻|tulip 🌷|earth 🌍|moon 🌙|sun ☀️|star ⭐|stars 🌟|
sparkles ✨|zap ⚡|fire 🔥|rainbow 🌈|cloud ☁️|rain 🌧️|snowflake ❄️|umbrella ☔|ocean 🌊|
apple 🍎|lemon 🍋|banana 🍌|watermelon 🍉|grapes 🍇|strawberry 🍓|peach 🍑|avocado 🥑|carrot 🥕|corn 🌽|bread 🍞|
cheese 🧀|egg 🥚|pizza 🍕|burger 🍔|fries 🍟|taco 🌮|sushi 🍣|ramen 🍜|salad 🥗|popcorn 🍿|cake 🍰|birthday 🎂|cookie 🍪|
chocolate 🍫|doughnut 🍩|ice_cream 🍨|honey 🍯|coffee ☕|tea 🍵|beer 🍺|beers 🍻|wine 🍷|cocktail 🍸|champagne 🍾|
soccer ⚽|basketball 🏀|tennis 🎾|trophy 🏆|medal 🏅|dart 🎯|game 🎮|dice 🎲|guitar 🎸|music 🎵|notes 🎶|art 🎨|clapper 🎬|
mic 🎤|headphones 🎧|car 🚗|bus 🚌|bike 🚲|train 🚆|plane ✈️|rocket 🚀|ship 🚢|house 🏠|office 🏢|tent ⛺|
watch ⌚|phone 📱|computer 💻|keyboard ⌨️|camera 📷|bulb 💡|book 📖|books 📚|newspaper 📰|envelope ✉️|inbox 📥|package 📦|
pencil ✏️|memo 📝|calendar 📅|chart 📈|pushpin 📌|paperclip 📎|scissors ✂️|lock 🔒|key 🔑|hammer 🔨|wrench 🔧|gear ⚙️|
link 🔗|microscope 🔬|pill 💊|gift 🎁|balloon 🎈|tada 🎉|confetti 🎊|bell 🔔|money 💰|gem 💎|hourglass ⌛|alarm ⏰|
check ✅|x ❌|warning ⚠️|question ❓|exclamation ❗|plus ➕|minus ➖|arrow_up ⬆️|arrow_down ⬇️|arrow_left ⬅️|arrow_right ➡️|
recycle ♻️|stop 🛑|construction 🚧|red_circle 🔴|green_circle 🟢|blue_circle 🔵|white_flag 🏳️|checkered_flag 🏁|shrug 🤷|facepalm 🤦`;

export interface Emoji {
  name: string;
  sign: string;
}

const EMOJI: Emoji[] = TABLE.split('|').map((entry) => {
  const [name = '', sign = ''] = entry.trim().split(' ');
  return { name, sign };
});

/** Those whose name, or a word of it, starts like this; the shortest names first. */
export const findEmoji = (start: string, most: number): Emoji[] =>
  EMOJI.filter(({ name }) => name.startsWith(start) || name.includes(`_${start}`))
    .toSorted(
      (a, b) =>
        Number(b.name.startsWith(start)) - Number(a.name.startsWith(start)) ||
        a.name.length - b.name.length,
    )
    .slice(0, most);
