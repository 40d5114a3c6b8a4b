"""Personal data is found by form, check digits and the words beside it; other numbers are left alone."""

from __future__ import annotations

import os

import pytest

from memoranda import ConfigurationError
from memoranda.policy import Policy
from memoranda.write.detect import find, prepare, redact

pytest.importorskip('phonenumbers', reason='needs the extra `privacy`')
pytest.importorskip('stdnum', reason='needs the extra `privacy`')

ALL = Policy(secrets='allow', personal_data='redact')


@pytest.mark.parametrize(
    ('text', 'kept'),
    [
        ('write to ana.silva+news@example.co.uk, please', 'write to [email address], please'),
        ('<mailto:ana@example.com>', '<mailto:[email address]>'),
        ('メールはana@example.jpです', 'メールは[email address]です'),
        ('ana [at] example [dot] com', '[email address]'),
        ('ana(at)example.com', '[email address]'),
        ('My IP is 93.184.216.34', 'My IP is [ip address]'),
        ('from 2606:2800:220:1:248:1893:25c8:1946 today', 'from [ip address] today'),
    ],
)
def test_addresses_on_the_net(text: str, kept: str) -> None:
    assert redact(text, ALL) == (kept, 1)


@pytest.mark.parametrize(
    'text',
    [
        'git@github.com:ana/notes.git',
        'install react@18.2.0 and @types/node',
        'meet @ 5 pm, or @ana on the forum',
        'localhost is 127.0.0.1, the router 192.168.1.1',
        'version 4.3.2.1 of the driver',
        'see section 1.2.3.4',
        'std::vector, 10:30:00, a::b::c',
        'aspect 16:9, ratio 3:4:5',
    ],
)
def test_what_looks_like_an_address_on_the_net_and_is_none(text: str) -> None:
    assert redact(text, ALL) == (text, 0)


@pytest.mark.parametrize(
    ('text', 'kept'),
    [
        ('Call me on +351 912 345 678.', 'Call me on [phone number].'),
        ('+49 (0)171 2345678', '[phone number]'),
        ('0049 171 2345678 is the office', '[phone number] is the office'),
        ('(212) 555-0123', '[phone number]'),
        ('ring 212-555-0123 at night', 'ring [phone number] at night'),
        ('06 12 34 56 78, after six', '[phone number], after six'),
        ('0171 2345678', '[phone number]'),
        ('my number is 5550199', 'my number is [phone number]'),
        ('Meine Handynummer: 01712345678', 'Meine Handynummer: [phone number]'),
        ('Mi teléfono es 612345678', 'Mi teléfono es [phone number]'),
        ('мой телефон 8 912 345-67-89', 'мой телефон [phone number]'),
        ('我的手机是138 1234 5678。', '我的手机是[phone number]。'),
        ('電話は090-1234-5678です', '電話は[phone number]です'),
        ('제 전화번호는 010-1234-5678', '제 전화번호는 [phone number]'),
        ('โทร 081 234 5678', 'โทร [phone number]'),
        ("555-123-4567 is Ana's number", "[phone number] is Ana's number"),
        ('WhatsApp: +55 11 91234-5678', 'WhatsApp: [phone number]'),
    ],
)
def test_phone_numbers_as_they_are_written(text: str, kept: str) -> None:
    assert redact(text, ALL) == (kept, 1)


@pytest.mark.parametrize(
    'text',
    [
        'order 4155550123 has shipped',
        'my order number is 212-555-0123',
        'Bestellnummer 0171 2345678',
        'invoice 2026-0012345',
        'tracking number 1234567890123456789012',
        'the meeting is on 2026-05-01 at 09:30',
        'born 01.05.1984, moved 12/05/2026',
        'from 2019 - 2026, or 2019 2020 2021 2022',
        'it costs 1 250 000 000 and 12.50',
        'Windows 10.0.19045.4291',
        'the build took 1234567 ms',
        'I called about ticket 12345678',
        'ISBN 978-3-16-148410-0',
        'pi is 3.14159265358979',
        '01a1fdf0-9102-7e3c-8272-f4e4f9693d12',
        'a population of 10562178',
        'room 101, floor 12, building 7',
        'line 1234567: unexpected token',
        'I call my cat 7 of 9',
        '1 2 3 4 5 6 7 8 9 10',
    ],
)
def test_numbers_that_are_no_phone_numbers(text: str) -> None:
    assert redact(text, ALL) == (text, 0)


def test_regions_narrow_what_counts_as_a_national_number() -> None:
    text = '0171 2345678 and (212) 555-0123'
    german = Policy(secrets='allow', personal_data='redact', regions=('DE',))
    assert redact(text, german)[0] == '[phone number] and (212) 555-0123'
    assert redact(text, ALL)[1] == 2


def test_a_region_that_does_not_exist_is_named() -> None:
    with pytest.raises(ConfigurationError, match='names ZZ, which are no countries'):
        prepare(Policy(personal_data='redact', regions=('ZZ',)))


@pytest.mark.parametrize(
    ('text', 'kept'),
    [
        ('IBAN DE89 3704 0044 0532 0130 00 please', 'IBAN [iban] please'),
        ('GB29NWBK60161331926819', '[iban]'),
        ('BE68 5390 0754 7034 THEN more', '[iban] THEN more'),
        ('my iban: DE89 3704 0044 0532 0130 01', 'my iban: [iban]'),  # a slip in it
    ],
)
def test_ibans(text: str, kept: str) -> None:
    assert redact(text, ALL) == (kept, 1)


@pytest.mark.parametrize(
    'id_',
    [
        'My SSN is 536-90-4399',
        'social security number 536904399',
        'NINO AB123456C',
        'PPS number 1234567T',
        'my SIN: 123-456-782',
        'TFN 123 456 782',
        'Aadhaar 2341 2341 2346',
        'PAN: ABCPK1234L',
        '2 95 10 99 126 111 93',
        'registre national 85073003328',
        '85.07.30-033.28',
        '756.9217.0769.85',
        'Steuer-ID 36 574 261 809',
        'steuer id 86 095 742 719',
        'meine Steuer ID ist 86095742719',
        'SteuerID: 86 095 742 719',
        'steuer id: 86 095 742 718',  # a slip in it
        'SVNR 1237 010180',
        'RCCMNL83S18D969H',
        'DNI 54362315K',
        'X2482300W',
        'BOXW310820HNERXN09',
        '20-05536168-2',
        '12.531.909-2',
        'NIF 501 442 600',
        '390.533.447-05',
        'BSN 111222333',
        'PESEL 44051401359',
        'TC kimlik 17291716060',
        'ИНН 500100732259',
        'СНИЛС 112-233-445 95',
        '11010519491231002X',
        'マイナンバー 6214 9832 0257',
        '971013-1019907',
        '1-2345-45678-78-1',
        '784-1984-1234567-1',
        'Passport number C01X00T47',
        'Reisepass: C01X00T47',
        '护照号 E12345678',
    ],
)
def test_national_ids_of_the_countries_where_the_languages_are_spoken(id_: str) -> None:
    (found,) = find(id_, ALL)
    assert found.kind == 'national id'
    assert found.end == len(id_)


@pytest.mark.parametrize(
    'text',
    [
        'ticket 44051401359',
        'ticket 86 095 742 719',
        'drei steuer ideen 2024 2025',
        'die Steuer im Jahr 2024 2025',
        'part 54362315A',
        'the ratio is 111222333',
        'my passport expires on 12.05.2031',
        'I got my driving licence in 2015 and drive since',
        'invoice 123-456-782',
        'BSN is short for burgerservicenummer',
    ],
)
def test_a_bare_number_needs_a_word_that_says_what_it_is(text: str) -> None:
    assert [f for f in find(text, ALL) if f.kind == 'national id'] == []


@pytest.mark.parametrize(
    'address',
    [
        '221B Baker Street, London NW1 6XE',
        '742 Evergreen Terrace, Springfield, IL 62704',
        '221B Baker Street, Marylebone, London NW1 6XE',
        '221B Baker Street London NW1 6XE',
        '221B Baker Street, London',
        '221b baker street, london nw1 6xe',
        '742 evergreen terrace, springfield, il 62704',
        '1600 Pennsylvania Avenue NW, Washington, DC 20500',
        'Hauptstraße 12, 10115 Berlin',
        'Keizersgracht 123',
        'Berliner Straße 7a',
        '12 rue de la Paix, 75002 Paris',
        '12 rue de Rivoli, 75001 Paris',
        '12, Rue de Rivoli 75001 Paris',
        '12 Rue de Rivoli, Paris',
        '5 Avenue Foch, 75116 Paris',
        '12 bis rue de rivoli, 75001 paris',
        'Calle Mayor 5, 28013 Madrid',
        'Via Roma, 10',
        'Rua Augusta 123',
        'ul. Marszałkowska 10',
        'ул. Ленина, д. 5',
        '〒100-0001 東京都千代田区',
        'P.O. Box 1234',
    ],
)
def test_postal_addresses_with_a_number(address: str) -> None:
    text = f'I live at {address}'
    (found,) = find(text, ALL)
    assert (found.kind, text[found.start : found.end]) == ('postal address', address)


@pytest.mark.parametrize(
    'text',
    [
        'I live in Lisbon, near Baker Street',
        'I have 3 dogs and 12 Books about Road Movies',
        'the 42 bus goes down the road',
        'He walked 5 miles on the street',
        'a place 12 people like',
        'Paris via Lyon 3 times',
        'Baker Street, London NW1 6XE is where Holmes lives',
        'the rue de Rivoli, 75001 Paris',
        'In 2019 Avenue Q came to town',
        'there are 12 houses on the street, london is full of them',
        'She came in 3 Place Holder was first',
        'at 10:30 Baker Street is empty',
        'la rue 3 fois, puis 12 places de Paris',
    ],
)
def test_a_street_without_a_number_is_no_address(text: str) -> None:
    assert redact(text, ALL) == (text, 0)


@pytest.mark.parametrize(
    ('text', 'kept'),
    [
        ('address:221B Baker Street, London NW1 6XE', 'address:[postal address]'),
        ('I live at 221B Baker Street, London.', 'I live at [postal address].'),
        ('At 12 Baker Street, Ana met Ben', 'At [postal address], Ana met Ben'),
        ('12 rue de Rivoli, 75001 Paris, deuxième étage', '[postal address], deuxième étage'),
    ],
)
def test_the_town_goes_with_the_street_and_what_follows_stays(text: str, kept: str) -> None:
    assert redact(text, ALL) == (kept, 1)


def test_names_that_look_like_code_are_names() -> None:
    for name in ('Null', 'Drop Table', "Robert'); DROP TABLE users;--", 'True', 'NaN', '<script>'):
        assert redact(f'My name is {name}', Policy(personal_data='redact'))[1] == 0


def test_kinds_are_told_apart() -> None:
    policy = Policy(secrets='allow', personal_data={'email address': 'redact'})
    text = 'ana@example.com, +351 912 345 678'
    assert redact(text, policy)[0] == '[email address], +351 912 345 678'


def test_the_password_of_a_url_is_no_email_address() -> None:
    policy = Policy(personal_data='redact')
    assert redact('postgresql://ana:hunter2@db.example.com/x', policy)[0] == 'postgresql://[password]@db.example.com/x'


LONG = int(os.environ.get('DETECT_TEST_CHARS', '50000'))
HOSTILE = (
    'a@',
    'a.a.a@',
    'a-',
    'a [at] ',
    '1.1.1.',
    '1:1:',
    '+351 912 345 678 ',
    '212-555-0123 ',
    'phone 5550199 ',
    '0171 2345678 ',
    '+1',
    '1 ',
    '000-00-0000 ',
    '0',
    'SSN 536904399 ',
    'passport ',
    'DE89 3704 ',
    'DE89',
    '12 Baker Street ',
    '12 baker street, london ',
    '12 Baker Street, London, ',
    '12 rue de la ',
    'Via Roma Via ',
    'A ',
    'Straße 1 ',
)


@pytest.mark.parametrize('unit', HOSTILE, ids=repr)
def test_a_long_text_of_anything_takes_little_time(unit: str) -> None:
    redact(unit * (LONG // len(unit)), ALL)  # else it would run into the timeout of the suite
