/** English. */

import type { Messages } from './zh'

export const en: Messages = {
  common: {
    close: 'Close', cancel: 'Cancel', retry: 'Retry now', back: 'Back to start', loading: 'Loading', more: 'More', send: 'Send',
    language: 'Language', theme: 'Theme', dark: 'Dark', light: 'Light', coins: 'coins', points: 'points', today: 'today', none: 'None yet',
  },
  tier: { basic: 'Basic', silver: 'Silver', gold: 'Gold', diamond: 'Diamond' },
  badge: { host: 'Host', moderator: 'Mod' },
  room: {
    follow: 'Follow', following: 'Following', followers: '{n} follower | {n} followers', online: '{n} online', likes: '{n} like | {n} likes', leave: 'Leave the room',
    viewers: 'Viewers online', host: 'Host',
    connection: { good: 'Connection good', weak: 'Connection weak', bad: 'Reconnecting' },
    joining: 'Entering the room', planned: 'Not live yet', plannedHint: 'Follow to be here when it starts',
    away: 'The host will be right back', awayHint: 'Stay here, it goes on in a moment', ended: 'This live has ended', endedHint: 'Thanks for watching, see you next time',
    sound: 'Tap for sound', weak: 'Weak network, the picture may stutter', soundOnly: 'Weak network: sound only', soundOnlyHint: 'The picture comes back by itself when your line allows', reconnecting: 'Connection lost, retrying in {s} s', reconnectingNow: 'Reconnecting…',
    offline: 'You are offline, back as soon as you are online', unmute: 'Sound on', mute: 'Sound off',
    private: 'The host is in a private call', privateHint: 'They will be right back', waitingVideo: 'Picture on its way',
    final: {
      kicked: ['You were removed from this room', 'Have a look at the other rooms'], banned: ['You cannot enter this room', 'Contact the shop if you think this is wrong'],
      full: ['This room is full', 'You are in line, next try in {s} s'], missing: ['This room does not exist', 'Check the link, or see who is live now'],
      refused: ['This link does not work', 'Ask the shop for a new link'], expired: ['This link has expired', 'Ask the shop for a new link'],
      ended: ['This live has ended', 'Thanks for watching, see you next time'], failed: ['This page is out of date', 'Reload the page and try again'], closed: ['You left the room', 'Come back any time'],
    },
  },
  chat: {
    placeholder: 'Say something…', anonymous: 'Sign in to chat', label: 'Chat messages', input: 'Send a comment', fresh: '{n} new message | {n} new messages',
    entered: 'joined', gave: 'sent', times: '×{n}', bought: 'bought', someone: 'Someone', system: 'Welcome! Be kind to each other and shop with care.',
    danmaku: 'Flying comments', opacity: 'Comment opacity', fit: 'Whole picture', like: 'Like', gift: 'Gifts', characters: '{n} characters left',
  },
  gift: {
    title: 'Send a gift', balance: 'Balance', send: 'Send', again: 'Combo', count: 'Count', notEnough: 'Not enough coins', anonymous: 'Sign in to send', sent: 'sent',
    others: 'Gift', choose: 'Choose {name}, {coins} coins',
  },
  coins: {
    title: 'Top up coins', topUp: 'Top up', short: 'Not enough coins: top up', bonus: '+{n} free', terms: 'Coins you buy never expire, free ones last 90 days; what you do not use can be refunded at its price', confirming: 'Paid. Your coins are on their way…',
    paid: '{n} coins are in your wallet', left: 'You have {n} coins', back: 'Back to the gifts', reminder: 'You have tipped {n} coins today. Only give what you can spare.',
  },
  loyalty: {
    points: 'Points to spend', pendingHint: '{n} pending until your orders are final', expiring: '{n} expire on {time}', checkIn: 'Check in', checkedIn: 'Checked in', streak: 'day {n} in a row',
    mine: 'My coupons', open: 'Coupons to take', none: 'No coupons yet', take: 'Take', times: '×{n}',
    percent: '{off}% off', most: 'at most {amount} off', from: 'from {amount}', always: 'no minimum', some: 'chosen products', until: 'valid until {time}', days: 'valid for {n} days', forever: 'no end date',
    got: 'The coupon “{title}” is yours', earned: { checkin: 'Check-in: +{n} points', watching: 'Watching: +{n} points', talking: 'Chatting: +{n} points', game: 'Game: +{n} points' }, earnedOther: '+{n} points',
    level: { raised: 'Level up! You are a {tier} member now', kept: 'You stay a {tier} member', warned: '{amount} more keeps you a {tier} member', lowered: 'Your level is {tier} now' },
    already: 'You checked in today already, see you tomorrow', listPrice: 'List price', here: 'Live discount', usePoints: 'Use {n} points for {amount}', payable: 'To pay',
  },
  shop: {
    buy: 'Buy now', price: 'Live price', stock: 'Only {n} left', plenty: 'In stock', sold: 'Sold out', quantity: 'Quantity', total: 'Total',
    less: 'Less', add: 'More', pay: 'Pay {amount}', paying: 'Paying…', confirming: 'Paid, confirming your order…', late: 'This takes a little longer. Your order is safe, keep watching.',
    paid: 'It is yours', paidHint: 'Thank you! The host has your order', nth: 'Your order no. {n} in this room', order: 'Order', amount: 'Paid', keep: 'Keep watching',
    age: 'Please confirm that you are 18 or older', ageConfirm: 'I am 18 or older, confirm and pay', failed: 'The payment did not go through', again: 'Try again',
    explaining: 'On now', sandbox: 'Sandbox payment: no real money moves', anonymous: 'Sign in to buy', sheet: 'Buy a product', drawer: 'All products', take: 'Buy', empty: 'Nothing is on offer yet',
  },
  replay: {
    watch: 'Watch again', of: 'Explained: {title}', whole: 'Watch the replay', last: 'Replay: {title}', back: 'Back to the room', loading: 'Loading the replay', failed: 'The replay cannot be opened right now, please try again', again: 'Try again',
  },
  welcome: {
    back: 'Welcome back', name: 'Welcome back, {name}', tier: '{tier} member', orders: '{n} order with us so far | {n} orders with us so far', visits: 'Visit no. {n} to this room',
    last: 'Bought “{title}” {days} day ago | Bought “{title}” {days} days ago', lastToday: 'Bought “{title}” today',
  },
  me: {
    title: 'My card', level: 'Level', next: '{amount} more to {tier}', top: 'You are at the top level', coins: 'Coins', points: 'Points', orders: 'Orders', visits: 'Visits',
    ledger: 'Statement', noLedger: 'Nothing here yet', anonymous: 'Guest', guestHint: 'Sign in to see your level, coins and statement here', balance: 'Balance {n}', following: 'Following',
  },
  cause: { points: 'Points', coins: 'Top-up', bonus: 'Free coins', expired: 'Expired', undone: 'Gift taken back', refunded: 'Top-up refunded', charged_back: 'Top-up taken back by the bank', checkout: 'Reserved for an order', sold: 'Order', gift: '{name} sent', received: '{name} received', opening: 'Opening balance', order: 'Order', topup: 'Top-up', refund: 'Refund', import: 'Import' },
  unit: { coins: 'coins', points: 'points' },
  mic: {
    title: 'Join the stage', onStage: 'On stage', me: 'Me', connecting: 'Connecting…', controls: 'My place on stage', mutedAudio: 'Muted', mutedVideo: 'Picture off', live: 'On stage',
    ask: 'Ask to join', cancel: 'Stop waiting', leave: 'Leave the stage', take: 'Join now', refuse: 'Not now', muteMe: 'Mute me', unmuteMe: 'Unmute me', hideMe: 'Hide me', showMe: 'Show me',
    noneHint: 'Everybody sees and hears you once the host accepts; until then only you see yourself', askedHint: 'You have asked and are number {n} in line', nextHint: 'The host accepted; you are next when a seat is free', invitedHint: 'The host invites you on stage; join when you are ready',
    seatedHint: 'Connecting…', liveHint: 'Everybody sees you now', mutedByHost: 'The host has turned off your sound or picture', declined: 'The host did not accept this time', down: 'You have left the stage',
  },
  call: {
    invited: 'Private call', invitedHint: '{name} invites you to a call that only the two of you see and hear', accept: 'Accept', refuse: 'Decline', with: 'In a private call with {name}', end: 'Hang up',
  },
  seats: {
    title: 'Guests', seats: 'Seats', waiting: '{n} waiting', empty: 'Nobody has asked to join', nobody: 'No guests on stage', accept: 'Accept', decline: 'Decline', next: 'Next', mute: 'Mute {name}', unmute: 'Unmute {name}',
    hide: 'Hide {name}', show: 'Show {name}', main: 'Give {name} the main place', home: 'Back to the main place', down: 'Take {name} down', call: 'Call {name} privately', connecting: 'Connecting', main_place: 'Main place', slot: 'Seat {n}',
    private: 'In a private call', calling: 'Inviting {name} to a private call…', inCall: 'In a private call with {name}; the room does not see you', endCall: 'End the call', cancelCall: 'Cancel the invitation', reaching: 'up to {n}',
  },
  pk: {
    title: 'PK', scores: 'Ours {ours}, theirs {theirs}', over: 'Over', won: 'WIN', lost: 'LOSE', draw: 'DRAW', giveUp: 'Give up', accept: 'Accept', decline: 'Decline', invite: 'Invite', with: 'Against', length: 'Length', minutes: '{n} min', nobody: 'No other room is live',
    incoming: '{name} invites you to a PK of {minutes} min', outgoing: '{name} is invited, waiting for an answer',
  },
  studio: {
    title: 'Studio', preview: 'Preview', camera: 'Camera', microphone: 'Microphone', screen: 'Share screen', stopScreen: 'Stop sharing', off: 'Off', noDevice: 'No device found',
    allow: 'Turn on camera', denied: 'The browser blocks the camera. Allow it in the address bar and try again', needSecure: 'Cameras need HTTPS or localhost',
    goLive: 'Go live', connecting: 'Connecting…', live: 'Live', stop: 'End live', stopAsk: 'End this broadcast?', stopKeep: 'Stay live', stopped: 'Stopped',
    ready: 'Ready', away: 'Viewers are waiting', takeOver: 'You are live somewhere else. Take over here?', takeOverHint: 'The other stream is cut at once; viewers stay connected.', takeOverDo: 'Take over',
    hostLive: 'Another host is live in this room; wait until they have ended', bitrate: 'Bitrate', loss: 'Loss', fps: 'Frames', size: 'Size', delay: 'Round trip',
    chat: 'Chat', say: 'Say something as the host…', thank: 'Thank', pin: 'Pin', thankText: 'Thank you, {name}!', welcomeText: 'Welcome, {name}!', quick: 'Quick actions',
    recognition: 'Regulars', recognitionEmpty: 'Returning customers appear here', visits: 'Visit no. {n}', firstVisit: 'First time in the room', bought: 'bought {title} {days} day ago | bought {title} {days} days ago', boughtToday: 'bought {title} today',
    orders: '{n} order | {n} orders', noOrders: 'No orders yet', prefers: 'Likes', suggest: 'You could say', thankOne: 'Thank', dismiss: 'Later', fresh: '{n} new', thanked: 'Thanked {name}',
    products: 'Products', productsEmpty: 'No products yet', pinDo: 'Pin', unpin: 'Unpin', pinned: 'Pinned', stock: '{n} in stock', unlimited: 'Unlimited',
    numbers: 'Numbers now', tabCamera: 'Camera', tabChat: 'Chat', tabGuests: 'Regulars', tabProducts: 'Products', forbidden: 'This link cannot go live. Use the host link',
    online: 'Online', messages: 'Messages/s', gifts: 'Gifts', ordersNumber: 'Orders', likes: 'Likes', revenue: 'Revenue', perVisit: 'Orders per visit', followers: 'Followers', sessions: 'Players',
    viewerPage: 'Viewer page', boardPage: 'Board', preferSay: 'Say this',
  },
  board: {
    title: 'Live board', live: 'Live', paused: 'Paused', pause: 'Pause', resume: 'Resume', range: 'Time range', minutes: '{n} min', png: 'Export image', csv: 'Export CSV', stale: 'No data for {s} s',
    empty: 'Waiting for the first numbers…', forbidden: 'This link cannot see the numbers. Use a host or merchant link', updated: 'Updated every second', now: 'Now', max: 'Peak',
    online: 'Viewers online', onlineUnit: 'people', messages: 'Message rate', messagesUnit: 'per s', gifts: 'Gifts', giftsUnit: 'gifts', orders: 'Orders', ordersUnit: 'orders', likes: 'Likes', likesUnit: 'likes', sessions: 'Media sessions', sessionsUnit: 'sessions',
    tabs: { room: 'Room', media: 'Media' }, legs: 'Streams to viewers', legsUnit: 'streams', bitrate: 'Bitrate', bitrateUnit: 'Mbit/s', out: 'out', in: 'in', loss: 'Loss', lossUnit: '%', forward: 'Forward latency', forwardUnit: 'ms', p50: 'half below', p99: '99 % below',
    layers: 'Video layers', layersUnit: 'streams', onlyLayer: 'one layer', repairs: 'Resent packets', repairsUnit: 'per s', sessionsTitle: 'Media sessions', leftOff: '{n} more', noSessions: 'Nobody sends or watches right now', who: 'Who', sessionState: 'State', codec: 'Codec', layer: 'Layer',
    mbps: 'Mbit/s', rtt: 'Round trip', requests: 'NACK / resent / key frames', pair: 'Address', age: 'For', seconds: '{n} s', publishes: 'sends', plays: 'watches',
    states: { new: 'Waiting', checked: 'Checked', handshaking: 'Handshake', connected: 'Connected', suspended: 'Silent', closed: 'Closed' },
    cumulative: 'Total', perMinute: '+{n} in the last minute', wentAway: 'Connection lost, retrying', chart: '{title}, now {value} {unit}',
  },
  landing: {
    title: 'Live now', subtitle: 'Come in, somebody will know you', live: 'Live', away: 'Back soon', ended: 'Ended', planned: 'Not live', enter: 'Enter the room', empty: 'No rooms yet', emptyHint: 'Create one with POST /v1/rooms, or run liveroom demo',
    failed: 'The rooms could not be loaded', demo: 'Demo links', demoHint: 'Each link is somebody; just open it', viewer: 'Viewer', host: 'Host', moderator: 'Moderator', merchant: 'Merchant', board: 'Board', online: '{n} online', noCount: '—',
  },
  order: {
    title: 'Order', report: 'Report', reportTitle: 'Report this comment', why: 'Reason', reported: 'Thank you, a moderator will look at it', held: 'A moderator looks at this line before it is shown', waiting: 'waiting',
    reasons: { spam: 'Spam or advertising', abuse: 'Insults', fraud: 'Fraud', sexual: 'Sexual content', other: 'Something else', words: 'Listed word' },
    mutedUntil: 'You are muted until {time}', mutedForGood: 'You are muted in this room', slowWait: 'Slow mode: again in {s} s', slowHint: 'Slow mode: one line every {s} s',
    mute: 'Mute for 10 min', ban: 'Remove and ban', delete: 'Delete', muted: '{name} is muted for 10 min', banned: '{name} is banned', deleted: 'Deleted',
    banAsk: 'Ban {name}?', banHint: 'They leave at once and cannot come back until you lift it.',
    tabs: { reports: 'Reports', rules: 'Rules', words: 'Words', sanctions: 'Barred' },
    queueEmpty: 'Nothing was reported', reportedBy: '{n} report · {why} | {n} reports · {why}', heldByWords: 'Has a listed word, viewers do not see it yet', release: 'Show it', keepBack: 'Do not show', dismiss: 'It is fine',
    slow: 'Slow mode', slowAbout: 'How often one person may write', off: 'Off', seconds: '{s} s', links: 'Links', linksAbout: 'Addresses and domains', contacts: 'Contact details', contactsAbout: 'Phones, messenger ids, mail',
    policies: { allow: 'Allow', mask: 'Star out', refuse: 'Refuse' }, repeats: 'Repeated text', repeatsAbout: 'Said more often in 30 s, only the writer sees it', homophones: 'Homophones', homophonesAbout: 'Words that sound like a listed one',
    word: 'Word', wordAction: 'What happens', add: 'Add', remove: 'Remove', actions: { mask: 'Star out', review: 'Hold back', refuse: 'Refuse' }, wordsEmpty: 'No words yet. Other scripts, widths and spacing are found too',
    bars: { mute: 'Muted', kick: 'Removed', ban: 'Banned' }, until: 'until {time}', forGood: 'for good', by: 'by {name}', lift: 'Lift', sanctionsEmpty: 'Nobody is barred',
  },
  refusals: {
    muted: 'You are muted for now', words: 'That is not said in this room', links: 'Links are not allowed here', contacts: 'Contact details are not allowed here', slow_mode: 'Slow mode is on, wait a moment', no_such_line: 'This comment is gone already', kicked: 'You were removed, come back later', banned: 'You cannot enter this room', invalid: 'Something is not filled in right', 
    unknown: 'That did not work, please try again', network: 'No connection. Check your network and try again', disconnected: 'Reconnecting, send it again in a moment', timeout: 'No answer came; check before you try again', rate: 'Too fast, take a short break',
    anonymous: 'Guests can only watch. Sign in to take part', not_enough_coins: 'Not enough coins. Top up and try again', tip_too_large: 'That is more than one tip may be. Send less', cooling_down: 'You have tipped a lot today. Take a break', no_such_pack: 'That pack is gone. Choose another', limit_reached: 'You have had as many as one person may', price_changed: 'The price has just changed. Check the new amount, then pay', claimed: 'You have taken this coupon already', not_claimable: 'This coupon cannot be taken now, look for another', no_such_coupon: 'This coupon is gone', used_up: 'Used up', nothing_to_refund: 'Nothing is left to refund', out_of_stock: 'Sold out, choose something else', ended: 'This live has ended, see you next time', text_empty: 'Write something first',
    text_too_long: 'At most 100 characters', forbidden: 'You may not do that', unavailable: 'Not available right now, try again', no_such_product: 'This product is no longer offered', busy: 'Too many at once, wait a moment', internal: 'Something broke on our side, try again', age_unconfirmed: 'Confirm your age before paying', expired: 'Your link has expired, ask for a new one', no_seat: 'The seat is gone, ask for the mic again', slot_taken: 'Somebody is on that seat', no_such_slot: 'There is no such seat', queue_full: 'Too many are waiting, try again later', on_stage: 'You are on stage already', not_asked: 'They are not waiting any more', not_live: 'Nobody is live right now', in_call: 'End the private call first', in_pk: 'End the PK first', no_pk: 'The invitation is over', no_call: 'The call is over',
  },
}
