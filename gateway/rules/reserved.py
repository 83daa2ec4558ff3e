"""STOP, START and HELP in the languages of a service's customers, and what they are answered with.

The English words are understood everywhere: carriers and regulators count on them.  A word counts only when
it is the whole text ("stop sending" is for a person to read), spelt as it stands here: no word that is merely
near one opts anybody out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cache

from msgspec import Struct

from gateway.config.model import Service
from gateway.text.normalise import normalise

ALWAYS = "en"
KINDS = ("stop", "start", "help")


class Word(Struct, frozen=True):
    """A reserved word: what it asks for (stop, start, help), and whose language it is (ISO 639-1)."""

    kind: str
    language: str


# language -> the words for stop, start and help, then the replies to each; {name} is the service's
_TABLE: Mapping[str, tuple[str, str, str, str, str, str]] = {
    "en": (
        "stop stopall unsubscribe cancel end quit",
        "start unstop",
        "help info",
        "{name}: you will get no more messages from us. Text START to get them again.",
        "{name}: you will get our messages again. Text STOP to end them.",
        "{name}: text STOP to get no more messages.",
    ),
    "de": (
        "stopp abmelden abbestellen ende aufhören aufhoeren",
        "anmelden anfangen",
        "hilfe",
        "{name}: Sie erhalten keine Nachrichten mehr von uns. Mit START kommen sie wieder.",
        "{name}: Sie erhalten unsere Nachrichten wieder. Mit STOP enden sie.",
        "{name}: Senden Sie STOP, um keine Nachrichten mehr zu erhalten.",
    ),
    "fr": (
        "arret arrêt arreter arrêter désabonner desabonner fin",
        "demarrer démarrer debut début",
        "aide",
        "{name}: vous ne recevrez plus nos messages. Envoyez START pour les recevoir à nouveau.",
        "{name}: vous recevrez à nouveau nos messages. Envoyez STOP pour les arrêter.",
        "{name}: envoyez STOP pour ne plus recevoir de messages.",
    ),
    "es": (
        "baja parar alto cancelar detener",
        "alta iniciar",
        "ayuda",
        "{name}: no recibirá más mensajes nuestros. Envíe START para recibirlos de nuevo.",
        "{name}: recibirá de nuevo nuestros mensajes. Envíe STOP para cancelarlos.",
        "{name}: envíe STOP para no recibir más mensajes.",
    ),
    "it": (
        "ferma basta annulla cancella fine disiscrivi",
        "inizia avvia",
        "aiuto",
        "{name}: non riceverà più messaggi da noi. Invii START per riceverli di nuovo.",
        "{name}: riceverà di nuovo i nostri messaggi. Invii STOP per non riceverli.",
        "{name}: invii STOP per non ricevere più messaggi.",
    ),
    "pt": (
        "parar pare cancelar sair remover",
        "iniciar começar comecar",
        "ajuda",
        "{name}: não receberá mais mensagens nossas. Envie START para as receber de novo.",
        "{name}: voltará a receber as nossas mensagens. Envie STOP para as cancelar.",
        "{name}: envie STOP para não receber mais mensagens.",
    ),
    "nl": (
        "stoppen afmelden uitschrijven einde",
        "aanmelden beginnen",
        "hulp",
        "{name}: u krijgt geen berichten meer van ons. Sms START om ze weer te krijgen.",
        "{name}: u krijgt onze berichten weer. Sms STOP om ze te stoppen.",
        "{name}: sms STOP om geen berichten meer te krijgen.",
    ),
    "tr": (
        "dur durdur iptal İptal çık cik ret red",
        "başla basla başlat baslat",
        "yardım yardim",
        "{name}: bizden artık mesaj almayacaksınız. Yeniden almak için START yazın.",
        "{name}: mesajlarımızı yeniden alacaksınız. Durdurmak için STOP yazın.",
        "{name}: mesaj almamak için STOP yazın.",
    ),
    "pl": (
        "koniec rezygnuj wypisz anuluj",
        "zapisz wznow wznów",
        "pomoc",
        "{name}: nie będziesz już dostawać naszych wiadomości. Wyślij START, aby je wznowić.",
        "{name}: znów będziesz dostawać nasze wiadomości. Wyślij STOP, aby je zakończyć.",
        "{name}: wyślij STOP, aby nie dostawać wiadomości.",
    ),
    "sv": (
        "stoppa avsluta avregistrera sluta",
        "starta börja borja",
        "hjälp hjalp",
        "{name}: du får inga fler meddelanden från oss. Skicka START för att få dem igen.",
        "{name}: du får våra meddelanden igen. Skicka STOP för att avsluta.",
        "{name}: skicka STOP för att inte få fler meddelanden.",
    ),
    "da": (
        "stoppe afmeld slut framelde",
        "tilmeld begynd",
        "hjælp hjaelp",
        "{name}: du får ikke flere beskeder fra os. Send START for at få dem igen.",
        "{name}: du får vores beskeder igen. Send STOP for at stoppe dem.",
        "{name}: send STOP for ikke at få flere beskeder.",
    ),
    "nb": (
        "stopp avslutt avmeld slutt",
        "påmeld pameld begynn",
        "hjelp",
        "{name}: du får ikke flere meldinger fra oss. Send START for å få dem igjen.",
        "{name}: du får meldingene våre igjen. Send STOP for å avslutte.",
        "{name}: send STOP for ikke å få flere meldinger.",
    ),
    "fi": (
        "lopeta peru seis",
        "aloita",
        "apua ohje",
        "{name}: et saa meiltä enää viestejä. Lähetä START, niin saat niitä taas.",
        "{name}: saat taas viestejämme. Lähetä STOP, niin ne loppuvat.",
        "{name}: lähetä STOP, niin et saa enää viestejä.",
    ),
    "cs": (
        "konec zrušit zrusit odhlásit odhlasit",
        "začít zacit přihlásit prihlasit",
        "pomoc nápověda napoveda",
        "{name}: už od nás nedostanete žádné zprávy. Pošlete START a budou zase chodit.",
        "{name}: naše zprávy vám budou zase chodit. Pošlete STOP a přestanou.",
        "{name}: pošlete STOP a zprávy přestanou chodit.",
    ),
    "hu": (
        "leiratkozás leiratkozas vége vege leállít leallit",
        "feliratkozás feliratkozas indít indit",
        "segítség segitseg súgó sugo",
        "{name}: nem kap több üzenetet tőlünk. Küldje a START szót, ha újra kér.",
        "{name}: újra megkapja üzeneteinket. Küldje a STOP szót, ha nem kéri.",
        "{name}: küldje a STOP szót, ha nem kér több üzenetet.",
    ),
    "ro": (
        "oprire dezabonare anulare renunt renunț",
        "abonare incepe începe",
        "ajutor",
        "{name}: nu veți mai primi mesaje de la noi. Trimiteți START pentru a le primi din nou.",
        "{name}: veți primi din nou mesajele noastre. Trimiteți STOP pentru a le opri.",
        "{name}: trimiteți STOP pentru a nu mai primi mesaje.",
    ),
    "el": (
        "διακοπη διακοπή στοπ τελος τέλος",
        "εναρξη έναρξη",
        "βοηθεια βοήθεια",
        "{name}: δεν θα λαμβάνετε πια μηνύματά μας. Στείλτε START για να τα λαμβάνετε ξανά.",
        "{name}: θα λαμβάνετε ξανά τα μηνύματά μας. Στείλτε STOP για διακοπή.",
        "{name}: στείλτε STOP για να μη λαμβάνετε μηνύματα.",
    ),
    "ru": (
        "стоп отписка отписаться отмена",
        "старт начать подписка",
        "помощь",
        "{name}: вы больше не будете получать наши сообщения. Отправьте START, чтобы получать их снова.",
        "{name}: вы снова будете получать наши сообщения. Отправьте STOP, чтобы отказаться.",
        "{name}: отправьте STOP, чтобы не получать сообщений.",
    ),
    "uk": (
        "стоп відписка відписатися скасувати",
        "старт почати підписка",
        "допомога довідка",
        "{name}: ви більше не отримуватимете наших повідомлень. Надішліть START, щоб отримувати їх знову.",
        "{name}: ви знову отримуватимете наші повідомлення. Надішліть STOP, щоб відмовитися.",
        "{name}: надішліть STOP, щоб не отримувати повідомлень.",
    ),
}

LANGUAGES = tuple(_TABLE)


@cache
def words(languages: tuple[str, ...]) -> Mapping[str, Word]:
    """What is understood, by its normalised form; where two languages spell a word alike, the first has it,
    and English before all."""
    found: dict[str, Word] = {}
    for language in (ALWAYS, *languages):
        for kind, spelt in zip(KINDS, _TABLE[language], strict=False):
            for word in spelt.split():
                found.setdefault(normalise(word), Word(kind, language))
    return found


def reserved(text: str, languages: Iterable[str] = ()) -> Word | None:
    """The reserved word that the whole text is in English or one of `languages`; None: it is none."""
    return words(tuple(languages)).get(normalise(text))


def spokesman(word: Word, names: Sequence[str], services: Mapping[str, Service]) -> str:
    """Which of the services of a number answers a reserved word: the first with a reply of its own in that
    language, else the first; "" if there is none."""
    own = (name for name in names if _own(word, services[name]))
    return next(own, names[0] if names else "")


def answer(word: Word, service: Service, names: str) -> str:
    """What a service answers to a reserved word, as a text with variables; `names` are those of all services
    that it concerns.

    In the word's language; to an English one in the service's first.
    """
    built_in = _TABLE[_language(word, service)][3 + KINDS.index(word.kind)]
    return _own(word, service) or built_in.format(name=names).replace("$(", "$$(")


def _language(word: Word, service: Service) -> str:
    english = word.language == ALWAYS and service.languages and ALWAYS not in service.languages
    return service.languages[0] if english else word.language


def _own(word: Word, service: Service) -> str:
    own = service.replies.get(_language(word, service))
    said: str = getattr(own, word.kind) if own is not None else ""
    return said
