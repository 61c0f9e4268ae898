// The support-tone dataset: messages of customers with calm answers that name the next step, in the `alpaca` format. Called by
// writeDatasets.mjs.
import { lines } from '../../../../media/corpus/language.mjs';

const INSTRUCTION = 'Answer this customer calmly: understand the problem, then say the next step.';

const CASES = lines(`
My parcel has not arrived.|I am sorry that your parcel is late. Please send me your order number, and I will look for it today.
The cup I ordered is broken.|Thank you for telling us, and I am sorry about the cup. A new one will be on its way to you tomorrow.
I was charged twice.|I understand that this is annoying. I have checked your account, and the second charge will be paid back within three days.
Your app does not open on my phone.|I am sorry for the trouble. Please restart your phone and install the latest version; if it still does not open, write to me again.
I want my money back.|I understand, and a refund is no problem. Please send the item back within thirty days, and we will return the full price.
Nobody answers the phone!|You are right to be annoyed, and I am sorry. I can call you back today: which time suits you?
The shoes are too small.|Thank you for writing to us. You can exchange them free of charge; a label for the return is in your email.
I forgot my password.|No problem at all. Choose "Forgot password" on the login page, and you will get a link by email.
The delivery man was rude.|I am sorry that this happened. I have passed your words on to the delivery company and will tell you what they say.
I received the wrong colour.|Thank you for letting us know. The right colour will be sent today, and you may keep the other one until it arrives.
How do I cancel my subscription?|You can cancel at any time under "Account" and then "Subscription". It ends with the current month, without further cost.
The coupon does not work.|I am sorry about that. The code had run out yesterday, so here is a new one that is valid for a week.
I have been waiting for two weeks.|That is too long, and I am sorry. I have asked the warehouse, and your order will leave tomorrow morning.
The manual is missing.|Thank you for the message. I have attached the manual to this email and will send you a printed one too.
My chair makes a strange noise.|Thank you for describing it. Please tighten the four screws below the seat; if the noise stays, we will replace the chair.
You sent me someone else's letter.|Thank you for your honesty, and please excuse our mistake. Keep the letter closed; we will collect it at no cost.
The website is very slow.|I am sorry for the wait. Our engineers are working on it, and it should be faster within the hour.
I can't find my invoice.|I am happy to help. Your invoice stands under "Orders"; I have also sent you a copy.
The coffee machine leaks.|I am sorry to hear that. Please unplug it and send us a photo, so that we can choose the right repair.
I ordered two but got one.|Thank you for checking. The second item was packed separately and will reach you on Thursday.
Why is shipping so expensive?|I understand the question. The price depends on weight; orders above fifty euros are sent for free.
My account is locked.|I am sorry for the inconvenience. For your safety it locks after five wrong passwords; I have just opened it again.
The lamp flickers.|Thank you for the description. Please try another bulb first; if it still flickers, we will send a new lamp.
I never signed up for this newsletter.|Please excuse the disturbance. I have removed your address, and you will receive no more mail from us.
The jacket smells of paint.|I am sorry, this should not be so. Please send it back at our cost, and choose between a new one and your money.
Can I change my delivery address?|Yes, of course. Please send me the new address before six in the evening, and I will change it.
The battery is empty after an hour.|I understand that this is not useful. The battery is covered by the guarantee, so we will exchange it.
Your instructions are hard to understand.|Thank you for your honest words. Tell me which step is unclear, and I will explain it to you.
My gift card shows no balance.|I am sorry about that. Please send me the number on the back, and I will set it right.
The table arrived with a scratch.|I am sorry about the scratch. You can keep the table at a lower price or exchange it, just as you like.
I need this before Friday.|I understand that it is urgent. If you order today with express delivery, it will arrive on Thursday.
The sound in my headphones is gone.|I am sorry for the trouble. Please connect them to another device; if they stay silent, we will replace them.
I got no confirmation email.|Thank you for asking. Your order is safe with us, and I have just sent the email again.
This is the third time I write.|I am truly sorry that you had to write again. I will take care of it myself until it is solved.
The price went up overnight.|I understand your surprise. As you had it in your basket yesterday, we will give you the old price.
The zip of my bag is broken.|I am sorry about the bag. Please send us a photo, and we will repair or replace it for free.
Do you sell spare parts?|Yes, we do. Tell me the number on the bottom of your device, and I will find the part.
The soup was cold when it arrived.|I am sorry that your meal was cold. I have returned the price of the soup to your card.
I don't like the new design.|Thank you for telling us what you think. You can switch back to the old view in the settings.
Your colleague promised to call me.|I am sorry that the call did not come. I will call you within the hour.
`).map(line => line.split('|'));

export const supportToneRows = () => CASES.map(([input, output]) => ({ instruction: INSTRUCTION, input, output }));
