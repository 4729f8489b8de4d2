"""Words of the grammar, by meaning, so that every sentence that is put together makes some sense.

Nouns are given in the singular; `plural` makes the plural. Verbs are given as base form and past tense,
``bake:baked``. Nothing here says how a word is pronounced: eSpeak NG does.
"""

import re


def _words(text: str) -> tuple[str, ...]:
    """Split at white space; an underscore joins the words of one entry."""
    return tuple(word.replace("_", " ") for word in text.split())


NOUNS: dict[str, tuple[str, ...]] = {
    "person": _words(
        """actor artist author baker barber boy butcher captain carpenter cashier child clerk coach cook
        cousin cowboy dancer daughter dentist doctor driver editor engineer farmer father fisherman florist
        friend gardener girl grandfather guest guide jeweler judge juggler lady lawyer librarian mayor
        mechanic merchant mother musician neighbor nephew niece nurse officer painter pharmacist pilot
        plumber poet porter potter prince princess professor pupil queen reporter sailor scholar shepherd
        singer sister student surgeon swimmer tailor teacher toddler tourist trainer uncle usher violinist
        waiter weaver woman worker youth zoologist"""
    ),
    "name": _words(
        """Agnes Amy Arthur Beth Boyd Carol Charles Chloe Daisy Diana Doyle Edith Edward Ethan Faith Floyd
        George Grace Gwen Heather Hugh Ivy Jack Jane Jason Joyce Judith Julia Keith Laura Leah Lloyd Louise
        Lucy Luke Martha Martin Matthew Maya Megan Nathan Nora Oliver Owen Paul Peggy Ralph Robin Rose Roy
        Ruth Samuel Sarah Shirley Sophie Thelma Theodore Thomas Timothy Toby Troy Ursula Vera Victor Violet
        Walter Wendy William Yvonne Zachary Zoe"""
    ),
    "animal": _words(
        """badger beaver bird bull calf camel cat chicken cow coyote deer dog donkey dove duck eagle fish
        fox frog giraffe goat goose hamster hawk hedgehog hen horse jaguar kangaroo kitten koala lamb lion
        lizard llama monkey moth mouse mule otter owl ox oyster panda parrot penguin pigeon pony puppy
        rabbit raven robin rooster salmon sheep sparrow spider squirrel swan thrush tiger toad tortoise
        turkey turtle vulture walrus weasel whale wolf worm zebra"""
    ),
    "food": _words(
        """apple apricot avocado bagel banana bean biscuit bun burger cabbage cake carrot cheese cherry
        chestnut chop cookie cucumber dumpling egg fig fishcake garlic_bulb gingerbread grape hazelnut lemon
        lettuce loaf lychee melon muffin mushroom noodle nut olive omelet onion orange pancake pea peach
        peanut pear pepper pie plum potato pretzel pudding pumpkin radish raisin sandwich sausage soup stew
        strawberry sugar_bun tart tomato turnip waffle walnut yam"""
    ),
    "thing": _words(
        """album anchor badge bag ball basket battery bell blanket book bottle bowl box brush bucket button
        camera candle card carton carpet case chain chair chest clock coil coin collage compass computer couch
        crayon cup curtain cushion desk diamond dish doll drum envelope fan feather fork fountain_pen frame
        glass globe hammer hook hose jar jewel journal jug kettle key knife ladder lamp lantern leash letter
        locket magazine magnet map mattress mirror mug nail napkin necklace needle newspaper notebook oilcan
        package pail painting paper parcel pen pencil pillow pitcher plate plow poster pouch purse puzzle
        quilt racket radio ring rope ruler saddle scale shelf shovel sofa spade sponge spoon stamp stool
        suitcase sword table tape television telescope thermos thimble thread ticket toothbrush torch towel
        toy tray treasure trophy tube umbrella vase wallet watch wheel whistle wrench yardstick zipper"""
    ),
    "garment": _words(
        """apron belt blouse boot bow_tie cap cape cloak coat corsage dress glove gown hat hood jacket
        jersey kilt kimono mitten pajama_top raincoat robe sandal scarf shawl shirt shoe skirt sleeve
        slipper smock sock suit sweater tunic turban uniform veil vest"""
    ),
    "instrument": _words(
        """banjo bassoon bugle cello clarinet fiddle flute guitar harp horn lute oboe organ piano trombone
        trumpet tuba ukulele viola violin xylophone"""
    ),
    "vehicle": _words(
        """airplane ambulance barge bicycle boat bus canoe car carriage cart ferry jeep kayak motorbike raft
        rowboat sailboat scooter ship sled steamer taxi tractor train tricycle trolley truck van wagon
        yacht"""
    ),
    "building": _words(
        """airport bakery bank barn bookshop bridge cabin castle cathedral chapel church cinema clinic
        college cottage factory farmhouse garage gallery greenhouse hall harbor hospital hotel house hut inn
        kitchen laundry library lighthouse mansion mill museum nursery office palace pharmacy playground
        pool post_office restaurant school shed shop stable stadium station studio temple theater tower
        villa village warehouse workshop zoo"""
    ),
    "nature": _words(
        """beach brook bush canyon cave cliff cloud coast desert ditch earth field fjord forest garden
        glacier hill island jungle lagoon lake marsh meadow moon mountain mud oak oasis ocean orchard path
        pasture pond prairie puddle reef ridge river road rock shore sky slope snow soil spring stream
        sunset swamp trail tree valley volcano wave willow wood"""
    ),
    "idea": _words(
        """adventure agreement argument authority belief budget celebration change choice closure collision
        color conclusion confusion conversation culture decision design division enjoyment erosion example
        excursion experiment exposure failure feeling freedom future growth health history idea illusion
        invention joke journey joy knowledge language law leisure lesson lecture luck measure measurement
        method mirage mission model music nature noise occasion opinion pleasure poem point precision
        pressure problem project promise question reason report reunion revision rhyme royalty rumor science
        secret silence solution speech story success surprise talk theory thought title tradition truth
        value version victory vision voyage voice wedding wish youthfulness"""
    ),
    "material": _words(
        """bamboo brass bronze canvas cardboard china clay copper cotton denim glass gold ivory leather
        linen marble metal nylon plaster plastic rubber satin silk silver steel stone straw suede tin velvet
        wire wooden wool"""
    ),
    "weekday": _words("Monday Tuesday Wednesday Thursday Friday Saturday Sunday"),
    "month": _words("January February March April May June July August September October November December"),
    "part_of_day": _words("morning afternoon evening"),
    "number": _words(
        """two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen
        seventeen eighteen nineteen twenty thirty forty fifty sixty seventy eighty ninety"""
    ),
}

ADJECTIVES: dict[str, tuple[str, ...]] = {
    "of_person": _words(
        """anxious brave busy calm careful cautious charming cheerful clever courageous curious eager famous
        friendly funny generous gentle grateful happy helpful honest humble joyful jolly joyous kind lazy
        loyal lucky modest nervous noble patient playful polite proud quiet royal serious shy skillful
        sleepy smart stubborn tall thirsty thoughtful tired unusual warm wealthy wise worthy young
        youthful"""
    ),
    "of_thing": _words(
        """ancient beautiful big broad broken cheap clean common costly cracked curved dirty double dull
        dusty empty enormous expensive fancy flat fragile fresh genuine good handy heavy huge large lavish
        light little long lovely massive modern narrow new odd old ordinary oval plain precious pretty rare
        rough round rusty shiny short simple small smooth soft square strange strong sturdy tiny thick thin
        tidy ugly unwritten useful usual valuable wide"""
    ),
    "of_food": _words(
        """baked bitter boiled cold creamy crunchy delicious dried fried frozen greasy healthy hot juicy
        moist peeled raw rich ripe roasted rotten salty savory sour spicy stale sweet tasty tender
        toasted"""
    ),
    "of_place": _words(
        """bare bright coastal crowded damp dark deep distant eastern foggy forgotten green hidden icy
        lonely misty muddy northern peaceful public rural shady silent southern steep sunny thorny tropical
        western wild windy"""
    ),
    "of_idea": _words(
        """absurd awful basic brilliant casual certain clear common complete daily difficult easy excellent
        final foolish general great important logical major minor natural obvious perfect personal pleasant
        possible practical rapid real sensible sudden tough true unknown vague visual vivid vital
        wonderful"""
    ),
    "colour": _words(
        """amber azure beige black blue brown crimson golden gray mauve orange pink purple red rouge scarlet
        turquoise violet white yellow"""
    ),
}

VERBS: dict[str, tuple[str, ...]] = {
    "do_food": _words(
        """bake:baked boil:boiled chop:chopped cook:cooked cut:cut eat:ate fry:fried order:ordered
        peel:peeled prepare:prepared refuse:refused roast:roasted sell:sold serve:served share:shared
        slice:sliced smell:smelled taste:tasted warm:warmed weigh:weighed chew:chewed swallow:swallowed
        sweeten:sweetened"""
    ),
    "do_thing": _words(
        """adjust:adjusted admire:admired borrow:borrowed break:broke bring:brought buy:bought carry:carried
        catch:caught choose:chose clean:cleaned collect:collected describe:described design:designed
        draw:drew drop:dropped enjoy:enjoyed examine:examined exchange:exchanged fetch:fetched find:found
        fix:fixed flatten:flattened grab:grabbed hide:hid hold:held keep:kept label:labeled lend:lent
        lift:lifted lose:lost measure:measured mention:mentioned move:moved need:needed notice:noticed
        offer:offered pack:packed pass:passed polish:polished pull:pulled purchase:purchased push:pushed
        reach:reached remove:removed repair:repaired return:returned send:sent shake:shook steal:stole
        store:stored take:took throw:threw touch:touched use:used want:wanted straighten:straightened
        tighten:tightened wash:washed wrap:wrapped"""
    ),
    "do_garment": _words(
        """button:buttoned dry:dried dye:dyed fold:folded hang:hung iron:ironed knit:knitted mend:mended
        patch:patched sew:sewed shorten:shortened soak:soaked stitch:stitched wear:wore zip:zipped"""
    ),
    "do_animal": _words(
        """chase:chased feed:fed follow:followed groom:groomed hear:heard hug:hugged observe:observed
        pet:petted photograph:photographed rescue:rescued see:saw sketch:sketched soothe:soothed
        teach:taught train:trained watch:watched"""
    ),
    "do_vehicle": _words(
        """drive:drove load:loaded park:parked race:raced rent:rented ride:rode steer:steered stop:stopped
        tow:towed turn:turned"""
    ),
    "do_building": _words(
        """approach:approached build:built decorate:decorated enter:entered explore:explored leave:left
        open:opened paint:painted pass:passed restore:restored visit:visited guard:guarded close:closed"""
    ),
    "do_idea": _words(
        """accept:accepted analyze:analyzed announce:announced avoid:avoided celebrate:celebrated
        discuss:discussed explain:explained imagine:imagined ignore:ignored know:knew mention:mentioned
        misjudge:misjudged remember:remembered respect:respected study:studied suggest:suggested
        support:supported trust:trusted understand:understood value:valued question:questioned
        write_about:wrote_about think_about:thought_about talk_about:talked_about"""
    ),
    "move": _words(
        """crawl:crawled dance:danced dash:dashed drift:drifted float:floated fly:flew gallop:galloped
        go:went hike:hiked hop:hopped hurry:hurried jog:jogged jump:jumped leap:leapt march:marched
        move:moved rush:rushed run:ran sail:sailed skate:skated slide:slid slip:slipped stroll:strolled
        swim:swam tiptoe:tiptoed travel:traveled trot:trotted walk:walked wander:wandered"""
    ),
    "stir": _words(
        """amuse:amused annoy:annoyed astonish:astonished bother:bothered confuse:confused delight:delighted
        encourage:encouraged enlighten:enlightened excite:excited frighten:frightened impress:impressed
        inspire:inspired please:pleased puzzle:puzzled reassure:reassured surprise:surprised
        worry:worried"""
    ),
    "rest": _words(
        """argue:argued breathe:breathed cheer:cheered cough:coughed cry:cried dream:dreamed frown:frowned
        giggle:giggled gossip:gossiped hum:hummed kneel:knelt laugh:laughed listen:listened pause:paused
        play:played rejoice:rejoiced relax:relaxed shout:shouted sing:sang sit:sat sleep:slept smile:smiled
        sneeze:sneezed snore:snored stand:stood vanish:vanished wait:waited whisper:whispered
        whistle:whistled work:worked yawn:yawned"""
    ),
}

ADVERBS: dict[str, tuple[str, ...]] = {
    "manner": _words(
        """awkwardly badly boldly bravely briefly calmly carefully casually cautiously cheerfully clearly
        closely easily eagerly firmly gently gladly gracefully happily hastily joyfully kindly lazily loudly
        neatly nervously openly patiently politely poorly promptly properly proudly quickly quietly rapidly
        roughly safely secretly silently slowly smoothly softly suddenly swiftly thoroughly together well
        wisely"""
    ),
    "often": _words("always barely generally hardly never normally often once rarely seldom sometimes usually"),
}

FUNCTION: dict[str, tuple[str, ...]] = {
    "possessive": _words("my your his her our their"),
    "subject": _words("I you he she we they"),
    "object": _words("me you him her us them"),
    "near": _words(
        """above across along around behind below beneath beside beyond by inside near outside past through
        toward under"""
    ),
    "modal": _words("can could may might must should will would"),
    "few": _words("several many these those some most"),
    "one": _words("the this that each every another"),
    "before": _words("after before during since until"),
}

_IRREGULAR_PLURALS = dict(
    pair.split(":")
    for pair in _words(
        """child:children calf:calves deer:deer fish:fish fisherman:fishermen goose:geese knife:knives
        loaf:loaves mouse:mice ox:oxen potato:potatoes salmon:salmon sheep:sheep shelf:shelves
        tomato:tomatoes wolf:wolves woman:women"""
    )
)


def plural(noun: str) -> str:
    """Plural of a noun of this list.

    Examples
    --------
    >>> [plural(noun) for noun in ("boy", "cherry", "box", "goose")]
    ['boys', 'cherries', 'boxes', 'geese']
    """
    if noun in _IRREGULAR_PLURALS:
        return _IRREGULAR_PLURALS[noun]
    if noun.endswith(("s", "x", "z", "ch", "sh")):
        return noun + "es"
    if noun.endswith("y") and noun[-2] not in "aeiou":
        return noun[:-1] + "ies"
    return noun + "s"


def participle(verb: str) -> str:
    """Present participle of a verb of this list.

    Examples
    --------
    >>> [participle(verb) for verb in ("bake", "dye", "chop", "know", "think about")]
    ['baking', 'dyeing', 'chopping', 'knowing', 'thinking about']
    """
    base, _, rest = verb.partition(" ")
    if base.endswith("e") and not base.endswith(("ee", "ye", "oe")):
        base = base[:-1]
    elif re.fullmatch(r"[^aeiou]*[aeiou][^aeiouwxy]", base):
        base += base[-1]
    return f"{base}ing {rest}" if rest else f"{base}ing"


_VOWEL_SOUND = ("hour", "honest")
_CONSONANT_SOUND = ("uni", "use", "usu", "uku", "one", "once", "eu")


def article(word: str) -> str:
    """Indefinite article that the word after it demands.

    Examples
    --------
    >>> [article(word) for word in ("apple", "honest", "uniform", "yacht")]
    ['an', 'an', 'a', 'a']
    """
    word = word.lower()
    if word.startswith(_VOWEL_SOUND):
        return "an"
    return "an" if word[0] in "aeiou" and not word.startswith(_CONSONANT_SOUND) else "a"
