/** 中文; the shape of all messages is taken from here. */

export const zh = {
  common: {
    close: '关闭', cancel: '取消', retry: '立即重试', back: '返回首页', loading: '加载中', more: '更多', send: '发送',
    language: '语言', theme: '明暗', dark: '深色', light: '浅色', coins: '金币', points: '积分', today: '今天', none: '暂无',
  },
  tier: { basic: '普通', silver: '银牌', gold: '金牌', diamond: '钻石' },
  badge: { host: '主播', moderator: '房管' },
  room: {
    follow: '关注', following: '已关注', followers: '{n} 粉丝', online: '{n} 在线', likes: '{n} 点赞', leave: '离开直播间',
    viewers: '在线人数', host: '主播',
    connection: { good: '网络良好', weak: '网络较弱', bad: '正在重连' },
    joining: '正在进入直播间', planned: '直播还没开始', plannedHint: '关注主播，开播第一时间见',
    away: '主播马上回来', awayHint: '别走开，精彩继续', ended: '本场直播已结束', endedHint: '感谢陪伴，下场直播见',
    sound: '点按开启声音', weak: '网络较弱，画面可能卡顿', soundOnly: '网络较弱，先听声音', soundOnlyHint: '画面会在网络恢复后自动回来', reconnecting: '连接断开，{s} 秒后重试', reconnectingNow: '正在重新连接…',
    offline: '网络已断开，恢复后自动连接', unmute: '打开声音', mute: '关闭声音',
    private: '主播正在私密连线', privateHint: '稍等片刻，马上回来', waitingVideo: '画面马上就来',
    final: {
      kicked: ['你已被请出直播间', '可以去看看其他直播间'], banned: ['你无法进入这个直播间', '如有疑问请联系商家客服'],
      full: ['直播间太火爆了', '正在排队，{s} 秒后自动重试'], missing: ['直播间不存在', '请检查链接，或看看正在直播的房间'],
      refused: ['链接无法使用', '请向商家重新获取链接'], expired: ['链接已过期', '请向商家重新获取链接'],
      ended: ['本场直播已结束', '感谢陪伴，下场直播见'], failed: ['页面版本过旧', '请刷新页面后重试'], closed: ['已离开直播间', '随时欢迎回来'],
    },
  },
  chat: {
    placeholder: '说点什么…', anonymous: '登录后互动', label: '聊天消息', input: '发送弹幕', fresh: '{n} 条新消息',
    entered: '来了', gave: '送出', times: '×{n}', bought: '买了', someone: '有人', system: '欢迎来到直播间！请文明发言，理性消费。',
    danmaku: '弹幕', opacity: '弹幕透明度', fit: '完整画面', like: '点赞', gift: '礼物', characters: '还可输入 {n} 字',
  },
  gift: {
    title: '送礼物', balance: '余额', send: '赠送', again: '连送', count: '数量', notEnough: '金币不足', anonymous: '登录后送礼', sent: '送出',
    others: '礼物', choose: '选择 {name}，{coins} 金币',
  },
  coins: {
    title: '充值金币', topUp: '充值', short: '金币不足，去充值', bonus: '加赠 {n}', terms: '购买的金币长期有效，加赠的金币 90 天内有效；未使用的部分可以原价退回', confirming: '支付成功，金币马上到账…',
    paid: '{n} 金币已到账', left: '现有 {n} 金币', back: '继续送礼物', reminder: '今天已送出 {n} 金币，量力而行哦',
  },
  loyalty: {
    points: '可用积分', pendingHint: '{n} 分待到账，订单完成后可用', expiring: '{n} 分将于 {time} 过期', checkIn: '签到', checkedIn: '已签到', streak: '连续 {n} 天',
    mine: '我的优惠券', open: '可领取的优惠券', none: '还没有优惠券', take: '领取', times: '×{n}',
    percent: '{fold} 折', most: '最多减 {amount}', from: '满 {amount} 可用', always: '无门槛', some: '限指定商品', until: '{time} 前有效', days: '领取后 {n} 天有效', forever: '长期有效',
    got: '优惠券「{title}」已到手', earned: { checkin: '签到 +{n} 积分', watching: '看直播 +{n} 积分', talking: '互动 +{n} 积分', game: '游戏 +{n} 积分' }, earnedOther: '+{n} 积分',
    level: { raised: '升级啦！你现在是{tier}会员', kept: '{tier}会员资格已保留', warned: '再买 {amount} 可保住{tier}会员', lowered: '会员等级已调整为{tier}' },
    already: '今天已经签到过了，明天再来', listPrice: '商品原价', here: '直播间优惠', usePoints: '用 {n} 分抵 {amount}', payable: '应付',
  },
  shop: {
    buy: '立即抢购', price: '直播间价', stock: '仅剩 {n} 件', plenty: '库存充足', sold: '已抢光', quantity: '数量', total: '合计',
    less: '减少', add: '增加', pay: '确认支付 {amount}', paying: '正在支付…', confirming: '支付成功，正在确认订单…', late: '确认稍慢，订单不会丢失，可放心继续观看',
    paid: '购买成功', paidHint: '感谢支持！主播已收到你的订单', nth: '这是你在本直播间的第 {n} 单', order: '订单号', amount: '实付', keep: '继续看直播',
    age: '付款前请确认已满 18 周岁', ageConfirm: '我已满 18 周岁，确认并支付', failed: '支付没有完成', again: '再试一次',
    explaining: '讲解中', sandbox: '沙盒支付：不会真实扣款', anonymous: '登录后即可购买', sheet: '购买商品', drawer: '全部商品', take: '去购买', empty: '还没有上架商品',
  },
  replay: {
    watch: '看讲解', of: '讲解回放：{title}', whole: '看回放', last: '回放：{title}', back: '回到直播间', loading: '正在加载回放', failed: '回放暂时打不开，请稍后再试', again: '再试一次',
  },
  welcome: {
    back: '欢迎回来', name: '欢迎回来，{name}', tier: '尊贵的{tier}会员', orders: '已在本店下单 {n} 次', visits: '第 {n} 次来到直播间',
    last: '{days} 天前买了「{title}」', lastToday: '今天买了「{title}」',
  },
  me: {
    title: '我的', level: '会员等级', next: '再买 {amount} 到{tier}', top: '已是最高等级', coins: '金币', points: '积分', orders: '订单', visits: '到访',
    ledger: '账单明细', noLedger: '还没有记录', anonymous: '游客', guestHint: '登录后在这里查看等级、金币和账单', balance: '余额 {n}', following: '已关注',
  },
  cause: { points: '积分', coins: '充值', bonus: '加赠', expired: '已过期', undone: '礼物退回', refunded: '充值退款', charged_back: '充值被银行撤回', checkout: '下单预留', sold: '下单', gift: '送出{name}', received: '收到{name}', opening: '初始余额', order: '下单', topup: '充值', refund: '退回', import: '导入' },
  unit: { coins: '金币', points: '积分' },
  mic: {
    title: '连麦', onStage: '正在连麦', me: '我', connecting: '连接中…', controls: '连麦控制', mutedAudio: '已静音', mutedVideo: '已关闭画面', live: '连麦中',
    ask: '申请连麦', cancel: '取消申请', leave: '结束连麦', take: '开始连麦', refuse: '暂不', muteMe: '静音', unmuteMe: '取消静音', hideMe: '关闭画面', showMe: '打开画面',
    noneHint: '主播同意后，大家会看到并听到你；在此之前画面只有自己能看见', askedHint: '已申请，前面还有人，排在第 {n} 位', nextHint: '主播已同意，有空位时马上轮到你', invitedHint: '主播邀请你上台连麦，准备好了就开始吧',
    seatedHint: '正在接通…', liveHint: '大家正在看着你，放轻松', mutedByHost: '主播关闭了你的声音或画面', declined: '主播暂时没有同意连麦', down: '连麦已结束',
  },
  call: {
    invited: '私密连线邀请', invitedHint: '{name} 邀请你一对一视频，只有你们两人能看到和听到彼此', accept: '接听', refuse: '拒绝', with: '正在与 {name} 私密连线', end: '挂断',
  },
  seats: {
    title: '连麦', seats: '座位', waiting: '{n} 人等待', empty: '还没有人申请连麦', nobody: '台上还没有嘉宾', accept: '同意', decline: '拒绝', next: '下一位', mute: '静音 {name}', unmute: '恢复 {name} 的声音',
    hide: '关闭 {name} 的画面', show: '恢复 {name} 的画面', main: '让 {name} 上主位', home: '回到主位', down: '请 {name} 下麦', call: '与 {name} 私密连线', connecting: '接通中', main_place: '主位', slot: '{n} 号位',
    private: '私密连线中', calling: '正在邀请 {name} 私密连线…', inCall: '与 {name} 私密连线中，直播间看不到你们', endCall: '结束私密连线', cancelCall: '取消邀请', reaching: '最多 {n} 位',
  },
  pk: {
    title: 'PK', scores: '我方 {ours}，对方 {theirs}', over: '已结束', won: '胜', lost: '负', draw: '平局', giveUp: '认输', accept: '应战', decline: '拒绝', invite: '发起 PK', with: '和谁 PK', length: '时长', minutes: '{n} 分钟', nobody: '没有其他正在直播的房间',
    incoming: '{name} 邀请你 PK {minutes} 分钟', outgoing: '已邀请 {name}，等待对方应战',
  },
  studio: {
    title: '开播台', preview: '预览', camera: '摄像头', microphone: '麦克风', screen: '共享屏幕', stopScreen: '停止共享', off: '关闭', noDevice: '未找到设备',
    allow: '开启摄像头', denied: '浏览器没有摄像头权限，请在地址栏允许后重试', needSecure: '摄像头需要 HTTPS 或 localhost',
    goLive: '开始直播', connecting: '连接中…', live: '直播中', stop: '结束直播', stopAsk: '确定结束本场直播？', stopKeep: '继续直播', stopped: '已停止',
    ready: '准备就绪', away: '观众正在等待', takeOver: '你已在另一处直播，接管到这里？', takeOverHint: '另一处的推流会立即断开，观众不会掉线。', takeOverDo: '接管直播',
    hostLive: '另一位主播正在直播，结束后才能开播', bitrate: '码率', loss: '丢包', fps: '帧率', size: '分辨率', delay: '往返',
    chat: '聊天', say: '以主播身份发言…', thank: '感谢', pin: '讲解', thankText: '感谢 {name}！', welcomeText: '欢迎 {name}！', quick: '快捷操作',
    recognition: '老客识别', recognitionEmpty: '老客人进来时会出现在这里', visits: '第 {n} 次来', firstVisit: '首次进直播间', bought: '上次 {days} 天前买了{title}', boughtToday: '今天买了{title}',
    orders: '{n} 单', noOrders: '还没下过单', prefers: '偏好', suggest: '可以说', thankOne: '一键感谢', dismiss: '稍后', fresh: '{n} 条新提醒', thanked: '已感谢 {name}',
    products: '商品', productsEmpty: '还没有商品', pinDo: '讲解', unpin: '取消讲解', pinned: '讲解中', stock: '库存 {n}', unlimited: '不限量',
    numbers: '实时数据', tabCamera: '画面', tabChat: '聊天', tabGuests: '老客', tabProducts: '商品', forbidden: '这个链接不能开播，请使用主播链接',
    online: '在线', messages: '消息/秒', gifts: '礼物', ordersNumber: '订单', likes: '点赞', revenue: '成交额', perVisit: '次均下单', followers: '粉丝', sessions: '拉流',
    viewerPage: '观众页', boardPage: '数据看板', preferSay: '发出这句话',
  },
  board: {
    title: '数据看板', live: '实时', paused: '已暂停', pause: '暂停', resume: '继续', range: '时间范围', minutes: '{n} 分钟', png: '导出图片', csv: '导出 CSV', stale: '数据中断 {s} 秒',
    empty: '等待第一笔数据…', forbidden: '这个链接不能查看数据，请使用主播或商家链接', updated: '每秒更新', now: '当前', max: '峰值',
    online: '在线人数', onlineUnit: '人', messages: '消息速率', messagesUnit: '条/秒', gifts: '礼物', giftsUnit: '个', orders: '订单', ordersUnit: '单', likes: '点赞', likesUnit: '次', sessions: '媒体会话', sessionsUnit: '路',
    tabs: { room: '直播间', media: '媒体' }, legs: '下行流', legsUnit: '路', bitrate: '码率', bitrateUnit: 'Mbit/s', out: '下行', in: '上行', loss: '丢包率', lossUnit: '%', forward: '转发延迟', forwardUnit: '毫秒', p50: '50% 以内', p99: '99% 以内',
    layers: '画质层', layersUnit: '路', onlyLayer: '单层', repairs: '重传', repairsUnit: '包/秒', sessionsTitle: '媒体会话', leftOff: '另有 {n} 路', noSessions: '现在没有人推流或观看', who: '用户', sessionState: '状态', codec: '编码', layer: '画质层',
    mbps: 'Mbit/s', rtt: '往返时延', requests: 'NACK / 重传 / 关键帧请求', pair: '地址', age: '时长', seconds: '{n} 秒', publishes: '推流', plays: '观看',
    states: { new: '等待连接', checked: '已检查', handshaking: '握手中', connected: '已连接', suspended: '无响应', closed: '已关闭' },
    cumulative: '累计', perMinute: '最近一分钟 +{n}', wentAway: '连接中断，正在重试', chart: '{title}，当前 {value} {unit}',
  },
  landing: {
    title: '正在直播', subtitle: '进来逛逛，总有人认得你', live: '直播中', away: '马上回来', ended: '已结束', planned: '未开播', enter: '进入直播间', empty: '还没有直播间', emptyHint: '用 POST /v1/rooms 创建一个，或运行 liveroom demo',
    failed: '房间列表加载失败', demo: '演示入口', demoHint: '每个链接是一个身份，点开即用', viewer: '观众', host: '主播', moderator: '房管', merchant: '商家', board: '看板', online: '{n} 在线', noCount: '—',
  },
  order: {
    title: '秩序', report: '举报', reportTitle: '举报这条弹幕', why: '原因', reported: '已收到，房管会尽快处理', held: '这条弹幕需要房管看过才会显示', waiting: '条待处理',
    reasons: { spam: '广告刷屏', abuse: '辱骂攻击', fraud: '诈骗', sexual: '低俗色情', other: '其他', words: '敏感词' },
    mutedUntil: '你被禁言到 {time}', mutedForGood: '你在本直播间被禁言', slowWait: '慢速模式，{s} 秒后可再发', slowHint: '慢速模式：每 {s} 秒一条',
    mute: '禁言 10 分钟', ban: '移出并拉黑', delete: '删除', muted: '{name} 已被禁言 10 分钟', banned: '{name} 已被拉黑', deleted: '已删除',
    banAsk: '拉黑 {name}？', banHint: '立即移出直播间，不能再进入，直到你解除。',
    tabs: { reports: '举报', rules: '规则', words: '敏感词', sanctions: '处罚' },
    queueEmpty: '没有待处理的举报', reportedBy: '{n} 人举报 · {why}', heldByWords: '含敏感词，观众还看不到', release: '放行', keepBack: '不放行', dismiss: '没有问题',
    slow: '慢速模式', slowAbout: '每人多久能发一条', off: '关闭', seconds: '{s} 秒', links: '链接', linksAbout: '网址和域名', contacts: '联系方式', contactsAbout: '电话、微信号、邮箱',
    policies: { allow: '允许', mask: '打码', refuse: '拒绝' }, repeats: '重复刷屏', repeatsAbout: '30 秒内同样的话超过几次，就只有本人看到', homophones: '谐音识别', homophonesAbout: '同音字也算敏感词',
    word: '敏感词', wordAction: '怎么处理', add: '添加', remove: '移除', actions: { mask: '打码', review: '先审后发', refuse: '拒绝' }, wordsEmpty: '还没有敏感词；繁体、全角、夹空格的写法会一并识别',
    bars: { mute: '禁言', kick: '移出', ban: '拉黑' }, until: '到 {time}', forGood: '长期', by: '由 {name}', lift: '解除', sanctionsEmpty: '没有正在生效的处罚',
  },
  refusals: {
    muted: '你被禁言了，暂时不能发言', words: '内容含有本直播间不允许的词', links: '本直播间不能发链接', contacts: '本直播间不能发联系方式', slow_mode: '慢速模式，稍后再发', no_such_line: '这条弹幕已经不在了', kicked: '你被移出了直播间，过一会儿再来', banned: '你不能进入这个直播间', invalid: '填写的内容不对，请检查', 
    unknown: '没有成功，请再试一次', network: '网络不通，请检查后重试', disconnected: '正在重连，请稍后再发', timeout: '没有收到回应，请先核对再重试', rate: '太快了，歇一会儿再来',
    anonymous: '游客只能观看，登录后即可参与', not_enough_coins: '金币不足，充值后再试', tip_too_large: '单次赠送金额太大了，少送一点吧', cooling_down: '今天送得不少了，歇一会儿再送', no_such_pack: '这个充值档位已经没有了', limit_reached: '每人限购，你已经买满了', price_changed: '价格刚刚有变，请确认新的金额后再支付', claimed: '这张券你已经领过了', not_claimable: '这张券现在不能领取，看看别的吧', no_such_coupon: '这张券已经不在了', used_up: '已经用完了', nothing_to_refund: '没有可退的部分',  out_of_stock: '已经抢光了，看看别的吧', ended: '直播已结束，下场再来', text_empty: '内容为空，写点什么吧',
    text_too_long: '最多 100 个字', forbidden: '没有权限', unavailable: '服务暂不可用，请稍后再试', no_such_product: '商品已下架', busy: '操作太快了，请稍等', internal: '我们这边出了点问题，请再试一次', age_unconfirmed: '付款前请先确认年龄', expired: '登录已过期，请重新获取链接', no_seat: '座位已不在，请重新申请连麦', slot_taken: '这个位置已有人', no_such_slot: '没有这个位置', queue_full: '等待的人太多，稍后再试', on_stage: '你已经在台上了', not_asked: '对方已不在等待', not_live: '主播不在线，稍后再试', in_call: '正在私密连线，请先结束', in_pk: '正在 PK，请先结束', no_pk: '邀请已失效', no_call: '连线已结束',
  },
}

type Widen<T> = T extends string ? string : T extends readonly string[] ? string[] : { [K in keyof T]: Widen<T[K]> }
export type Messages = Widen<typeof zh>
